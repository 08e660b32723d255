# SPDX-License-Identifier: Apache-2.0
"""Distances between sets of pictures, on feature vectors whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.evaluation.fid import frechet_distance, kernel_distance


def drawn(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, size))


def test_a_set_has_no_frechet_distance_from_itself():
    rows = drawn(50, 20)
    assert frechet_distance(rows, rows[::-1]) == pytest.approx(0, abs=1e-9)


def test_a_shift_costs_its_squared_length():
    rows, shift = drawn(50, 20), np.arange(20) / 10
    assert frechet_distance(rows, rows + shift) == pytest.approx(np.square(shift).sum())


def test_twice_the_spread_costs_the_trace_of_the_covariance():
    rows = drawn(80, 20)
    rows -= rows.mean(0)
    assert frechet_distance(rows, 2 * rows) == pytest.approx(np.trace(np.cov(rows.T)))


@pytest.mark.parametrize("counts", [(15, 12), (200, 15), (300, 200)])
def test_the_frechet_distance_is_that_of_the_matrix_root_whatever_the_number_of_pictures(counts):
    first, second = drawn(counts[0], 30, 1), drawn(counts[1], 30, 2) * np.linspace(0.5, 2, 30) + 0.3
    a, b = np.cov(first.T), np.cov(second.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0)).sum()
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(a + b) - 2 * root
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_one_source_falls_with_the_number_of_pictures():
    few = frechet_distance(drawn(60, 40, 1), drawn(60, 40, 2))
    many = frechet_distance(drawn(3000, 40, 1), drawn(3000, 40, 2))
    assert few > 10 * many > 0


def test_the_kernel_distance_of_one_source_is_zero_whatever_the_number_of_pictures():
    for count in (40, 400):
        values = [
            kernel_distance(drawn(count, 40, seed), drawn(count, 40, 100 + seed), seed).mean
            for seed in range(12)
        ]
        spread = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values)) < 4 * spread


def test_the_kernel_distance_tells_two_sources_apart_and_says_what_it_rests_on():
    told = kernel_distance(drawn(300, 40, 1), drawn(300, 40, 2) + 0.5)
    assert told.mean > 5 * told.std > 0
    assert (told.subsets, told.subset_size) == (100, 100)
    assert kernel_distance(drawn(30, 40, 1), drawn(30, 40, 2)).subset_size == 15


def test_the_kernel_distance_is_that_of_its_formula():
    x, y = drawn(4, 3, 1), drawn(4, 3, 2)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    pairs = [(i, j) for i in range(2) for j in range(2)]

    def by_hand(u: np.ndarray, v: np.ndarray) -> float:
        return k(u[0], u[1]) + k(v[0], v[1]) - 2 * sum(k(u[i], v[j]) for i, j in pairs) / 4

    subsets = [(i, j) for i in range(4) for j in range(i)]
    possible = [by_hand(x[list(a)], y[list(b)]) for a in subsets for b in subsets]
    told = kernel_distance(x, y)  # subsets of two
    assert min(possible) <= told.mean <= max(possible)
    assert told.mean == pytest.approx(np.mean(possible), abs=4 * np.std(possible) / 10)
