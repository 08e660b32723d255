# SPDX-License-Identifier: Apache-2.0
"""How far two sets of pictures are apart, from the features of each: (n, d) float64, one row a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 100
"""The kernel distance is averaged over so many random subsets: of half of the pictures, at most so many."""


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The Frechet distance between Gaussians fitted to both sets (Heusel et al., NeurIPS 2017).

    |mean1 - mean2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)). It is biased upwards for small n: compare only numbers of
    the same n. Needs two rows in each set.
    """
    a, b = (_scaled_deviations(rows) for rows in (first, second))
    # With C1 = A'A and C2 = B'B the eigenvalues of C1 C2 are the squared singular values of A B': no matrix square
    # root, and nothing of size d x d where there are fewer pictures than features.
    a, b = (
        np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows for rows in (a, b)
    )
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    return float(max(apart + np.square(a).sum() + np.square(b).sum() - 2 * overlap, 0.0))


def _scaled_deviations(rows: np.ndarray) -> np.ndarray:
    """Rows whose Gram matrix is the covariance of `rows`."""
    return (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation over random subsets."""

    mean: float
    std: float
    subsets: int
    subset_size: int


def kernel_distance(first: np.ndarray, second: np.ndarray, seed: int = 0) -> KernelDistance:
    """The squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (KID; Binkowski et al., ICLR 2018).

    Unbiased, whatever the number of pictures: of two sets from one source the mean is zero, and it may be negative.
    """
    size = min(SUBSET_SIZE, len(first) // 2, len(second) // 2)
    random = np.random.default_rng(seed)
    values = [
        _unbiased_mmd(
            first[random.choice(len(first), size, replace=False)],
            second[random.choice(len(second), size, replace=False)],
        )
        for _ in range(SUBSETS)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)), SUBSETS, size)


def _unbiased_mmd(x: np.ndarray, y: np.ndarray) -> float:
    n = len(x)
    within = (_without_diagonal(_kernel(x, x)) + _without_diagonal(_kernel(y, y))) / (n * (n - 1))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _without_diagonal(matrix: np.ndarray) -> float:
    return float(matrix.sum() - np.trace(matrix))
