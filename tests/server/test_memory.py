# SPDX-License-Identifier: Apache-2.0
"""What a device cannot hold is refused; what was let in and is too much after all ends alone."""

import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from spade_core.checkpoint.file import Checkpoint, save_checkpoint
from spade_core.contract.errors import CancelledError, OutOfMemoryError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Failed, Finished
from spade_core.contract.request import Delivery, PictureRequest
from spade_core.model.build import build_generator
from spade_core.model.spade import GeneratorConfig
from tests.server.running import RunningServer, resident_mib
from tests.server.test_batches import ends_of
from tests.server.trivial import NEEDS_MUCH, SLOW

REAL = "spade_core.synthesis.synthesizer:Synthesizer"
GROUPS = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def uncut_model(folder: Path) -> Path:
    """Of a network that looks at all of a picture at once: nobody can paint it in parts."""
    config = GeneratorConfig(
        18, base_width=16, norm="instance", spectral=False, spade_kernel=1, spade_hidden=256
    )
    checkpoint = Checkpoint(
        config, build_generator(config).state_dict(), load_label_set("landscape"), native_size=128
    )
    save_checkpoint(folder / "uncut.safetensors", checkpoint)
    return folder / "uncut.safetensors"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    models = "--models", "landscape", str(uncut_model(folder))
    with RunningServer(folder, *models, synthesizer=REAL, wait=False) as server:
        server.wait_for(lambda status: status.state != "warming", timeout_s=120)
        yield server


def all_sky(side):
    return np.zeros((side, side), np.uint8)


def limit_of(pid, **limits):
    """Limits of another process's addresses; returns those before."""
    return resource.prlimit(pid, resource.RLIMIT_AS, *limits.values())


def addresses(pid) -> int:
    """Bytes of a process's address space."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmSize"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def test_a_picture_that_the_device_cannot_hold_is_refused_at_once_and_says_what_can(
    server, client, landscape
):
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total > 40e9:
        pytest.skip("this machine could hold a picture of 4096 x 4096 pixels")
    began = time.monotonic()
    with pytest.raises(OutOfMemoryError, match=r"needs about \d+\.\d GB of memory") as refused:
        client.generate(PictureRequest(all_sky(4096), landscape, "uncut", upscale="off"))
    assert time.monotonic() - began < 5
    assert "upscaling on" in refused.value.fix and " x " in refused.value.fix
    assert server.status().running == 0


def test_a_picture_for_which_memory_runs_out_fails_alone(server, client, landscape):
    # After it was let in, the worker is left with less than it needs; nothing yet of what a larger picture took.
    worker = server.status().pids[1]
    before = limit_of(worker)
    limit_of(worker, limits=(addresses(worker) + 300 * 2**20, before[1]))
    try:
        large = client.submit(
            PictureRequest(all_sky(1024), landscape, upscale="off"), Delivery(deadline_s=120)
        )
        small = client.submit(PictureRequest(all_sky(64), landscape), Delivery(deadline_s=120))
        ends = ends_of(client, [large, small], 120)
    finally:
        limit_of(worker, limits=before)
    assert isinstance(ends[large], Failed) and isinstance(ends[large].error, OutOfMemoryError)
    assert isinstance(ends[small], Finished)
    assert server.status().pids[1] == worker, "nobody had to end it"


def test_a_picture_that_the_device_cannot_hold_at_once_is_painted_in_parts(server, client, landscape):
    began: list[str] = []

    def stop(stage: str, done: float) -> None:
        began.append(stage)
        if done > 0:
            raise CancelledError("That is enough.")

    with pytest.raises(CancelledError):
        client.generate(PictureRequest(all_sky(4096), landscape, upscale="off"), progress=stop)
    assert "painting" in began
    server.wait_for(lambda status: status.running == 0, timeout_s=30)


@pytest.fixture
def group():
    """A control group of processes whose memory can be limited."""
    for root in GROUPS:
        made = root / f"spade-test-{os.getpid()}"
        try:
            made.mkdir()
        except OSError:
            continue
        if any((made / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
            yield made
            made.rmdir()
            return
        made.rmdir()
    pytest.skip("no control group can be made here (that takes root)")


def test_a_picture_whose_worker_the_system_ends_for_memory_fails_alone(tmp_path, group, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        worker = server.status().pids[1]
        name = next(n for n in ("memory.max", "memory.limit_in_bytes") if (group / n).exists())
        (group / "cgroup.procs").write_text(str(worker))
        (group / name).write_text(str(int(resident_mib(worker) + 100) * 2**20))
        first = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 300))
        server.wait_for(lambda status: status.running == 1)
        large = client.submit(PictureRequest(np.ascontiguousarray(label_map.T), landscape, seed=NEEDS_MUCH))
        small = client.submit(PictureRequest(label_map, landscape, seed=7))
        ends = ends_of(client, [first, large, small])
        assert isinstance(ends[large].error, OutOfMemoryError) and ends[large].error.fix
        assert isinstance(ends[first], Finished) and isinstance(ends[small], Finished)
        assert server.status().pids[1] != worker
