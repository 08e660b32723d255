# SPDX-License-Identifier: Apache-2.0
"""The connected regions of a label map. Numpy only, a few milliseconds at most: it runs inside the loader."""

from __future__ import annotations

import numpy as np


def regions(label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of one id that touch by their sides.

    label_map: (H, W) integers. Returns the region of each pixel, (H, W) int32 from 0, and the id of each region.
    """
    starts = np.ones(label_map.shape, np.bool_)
    starts[:, 1:] = label_map[:, 1:] != label_map[:, :-1]
    run = np.cumsum(starts.ravel(), dtype=np.int32).reshape(label_map.shape) - 1
    touching = label_map[1:] == label_map[:-1]
    # Of two rows' runs that touch, one pair is enough.
    touching[:, 1:] &= starts[1:, 1:] | starts[:-1, 1:] | ~touching[:, :-1]
    owner = _united(int(run[-1, -1]) + 1, run[:-1][touching], run[1:][touching])
    roots, region_of_run = np.unique(owner, return_inverse=True)
    ids = label_map[starts]
    return region_of_run.astype(np.int32)[run], ids[roots]


def without_small(label_map: np.ndarray, smallest: int) -> np.ndarray:
    """The map with every region of fewer pixels than `smallest` given to the neighbour it borders on most."""
    region, ids = regions(label_map)
    areas = np.bincount(region.ravel()).tolist()
    order = sorted((area, index) for index, area in enumerate(areas) if area < smallest)
    if not order or len(areas) == 1:
        return label_map
    shared = _shared_borders(region)
    owner = list(range(len(areas)))
    for _, index in order:
        if areas[index] >= smallest or not shared[index]:  # it has grown by what it was given
            continue
        taker = max(shared[index], key=lambda other: (shared[index][other], -other))
        owner[index] = taker
        areas[taker] += areas[index]
        for other, length in shared[index].items():
            del shared[other][index]
            if other != taker:
                shared[taker][other] = shared[taker].get(other, 0) + length
                shared[other][taker] = shared[taker][other]
        shared[index] = {}
    return ids[np.array([_root(owner, index) for index in range(len(owner))])][region]


def _shared_borders(region: np.ndarray) -> list[dict[int, int]]:
    """For each region its neighbours and the pixels of border it shares with them."""
    count = int(region.max()) + 1
    sides = []
    for one, other in ((region[:, :-1], region[:, 1:]), (region[:-1], region[1:])):
        border = one != other
        sides.append(one[border].astype(np.int64) * count + other[border])
    codes, lengths = np.unique(np.concatenate(sides), return_counts=True)
    shared: list[dict[int, int]] = [{} for _ in range(count)]
    for code, length in zip(codes.tolist(), lengths.tolist(), strict=True):
        one, other = divmod(code, count)
        shared[one][other] = shared[other][one] = shared[one].get(other, 0) + length
    return shared


def _united(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smallest member of the set each of `count` elements is in, once the pairs are united."""
    owner = np.arange(count)
    a, b = one, other
    while a.size:
        smaller = np.minimum(owner[a], owner[b])
        np.minimum.at(owner, owner[a], smaller)
        np.minimum.at(owner, owner[b], smaller)
        while not np.array_equal(owner, shorter := owner[owner]):
            owner = shorter
        apart = owner[a] != owner[b]
        a, b = a[apart], b[apart]
    return owner


def _root(owner: list[int], index: int) -> int:
    while owner[index] != index:
        owner[index] = owner[owner[index]]
        index = owner[index]
    return index
