# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PyTorch is installed where, and what is said of it."""

from __future__ import annotations

import pytest
from spade_backdrops.contract.errors import UnavailableError
from spade_backdrops.install.torch_build import Machine, best_build, this_machine


@pytest.mark.parametrize(
    ("machine", "named", "index"),
    [
        (Machine("linux", "x86_64", 13020), "CUDA 13", "cu130"),
        (Machine("win32", "amd64", 13000), "CUDA 13", "cu130"),
        (Machine("linux", "x86_64", 12040), "CUDA 12", "cu126"),
        (Machine("linux", "x86_64", 11080), "processor", "cpu"),
        (Machine("linux", "x86_64"), "processor", "cpu"),
        (Machine("win32", "amd64"), "processor", ""),
        (Machine("darwin", "arm64"), "MPS", ""),
    ],
)
def test_each_computer_gets_the_build_that_uses_what_it_has(machine, named, index):
    build = best_build(machine)
    assert named in build.name and build.index.endswith(index) and bool(build.index) == bool(index)


def test_an_old_driver_is_the_reason_that_is_given():
    assert "too old" in best_build(Machine("linux", "x86_64", 11080)).sentence
    assert "no NVIDIA GPU" in best_build(Machine("linux", "x86_64")).sentence


def test_a_mac_with_an_intel_processor_is_sent_to_another_computer():
    with pytest.raises(UnavailableError) as refused:
        best_build(Machine("darwin", "x86_64"))
    assert "Intel" in refused.value.message and "another computer" in refused.value.fix


def test_this_computer_is_known():
    assert best_build(this_machine()).sentence.endswith("GB of disk.")
