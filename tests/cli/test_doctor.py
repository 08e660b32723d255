# SPDX-License-Identifier: Apache-2.0
"""spade doctor: what is said of each kind of machine."""

import pytest

from spade_core.verdicts import (
    FAIL,
    OK,
    WARN,
    TorchFacts,
    judge_blender,
    judge_memory,
    judge_python,
    judge_torch,
)

MACHINES = {
    "windows with an unused GPU": (TorchFacts("2.13.0+cpu", "win32", driver="570.1"), WARN, "on Windows"),
    "linux with an unused GPU": (TorchFacts("2.13.0+cpu", "linux", driver="570.1"), WARN, "CPU-only"),
    "no driver": (TorchFacts("2.13.0+cu130", "linux", cuda_build="13.0"), WARN, "no NVIDIA driver"),
    "old driver": (TorchFacts("2.13.0", "linux", cuda_build="13.0", driver="470.2"), WARN, "470.2"),
    "working GPU": (
        TorchFacts(
            "2.13.0", "linux", cuda_build="13.0", cuda_works=True, device_name="A GPU", driver="580.1"
        ),
        OK,
        "A GPU",
    ),
    "mac": (TorchFacts("2.13.0", "darwin", mps_works=True, apple_silicon=True), OK, "MPS"),
    "mac under Rosetta": (TorchFacts("2.13.0", "darwin", apple_silicon=True), WARN, "does not see"),
    "plain CPU": (TorchFacts("2.13.0+cpu", "linux"), OK, "on the CPU"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_torch_is_judged_by_what_the_machine_could_do(machine):
    facts, verdict, said = MACHINES[machine]
    found = judge_torch(facts)
    assert found.verdict == verdict and said in found.said
    assert bool(found.fix) == (verdict != OK)


def test_unsupported_versions_are_told_with_the_supported_ones():
    assert judge_python((3, 10)).verdict == FAIL and "3.11" in judge_python((3, 10)).fix
    assert judge_python((3, 13)).verdict == OK
    assert judge_blender("/usr/bin/blender", (3, 4, 1)).verdict == WARN
    assert judge_blender("/usr/bin/blender", (4, 5, 15)).verdict == OK
    assert judge_blender("", None).fix
    assert judge_memory(2.0).verdict == WARN and judge_memory(None).verdict == OK


def test_doctor_looks_at_everything_and_prints_no_traceback(spade):
    ended = spade("doctor")
    assert "Traceback" not in ended.out + ended.err
    assert all(
        f" {what} " in ended.out
        for what in ("Python", "torch", "memory", "models", "previews", "ZeroMQ", "Blender", "server")
    )
