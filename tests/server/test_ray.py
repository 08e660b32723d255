# SPDX-License-Identifier: Apache-2.0
"""A server in front of a Ray cluster: a real one of two replicas, started here."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from server.backends import ray_cluster
from spade_core.contract.client import Client
from spade_core.contract.errors import UnavailableError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Cancelled, Failed, Finished, Progress
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RunningServer
from tests.server.trivial import SLOW, write_checkpoint

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra cluster)"
    ),
    pytest.mark.timeout(240),
]
LANDSCAPE = load_label_set("landscape")
FRESH = Delivery(no_cache=True, deadline_s=120, patience_s=120)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    write_checkpoint(folder, 100, shade=5)
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        options = (
            "--ray",
            "local",
            "--replicas",
            "2",
            "--device",
            "cpu",
            "--models",
            "landscape",
            str(run_folder),
        )
        with RunningServer(folder, *options, wait=False, strict=False) as server:
            server.wait_for(lambda status: status.state == "ready", 120)
            yield server


def request(seed: int, model: str = "landscape", side: int = 64) -> PictureRequest:
    ids = np.random.default_rng(seed).integers(0, 17, (side, side)).astype(np.uint8)
    return PictureRequest(ids, LANDSCAPE, model, seed)


def ended(
    client: Client, jobs: dict[str, int], timeout_s: float = 90
) -> dict[int, Finished | Failed | Cancelled]:
    """By seed, when all have ended."""
    found: dict[int, Finished | Failed | Cancelled] = {}
    end = time.monotonic() + timeout_s
    while len(found) < len(jobs) and time.monotonic() < end:
        for event in client.poll(50):
            if isinstance(event, Finished | Failed | Cancelled) and event.id in jobs:
                assert jobs[event.id] not in found, "two ends of one job"
                found[jobs[event.id]] = event
    assert len(found) == len(jobs)
    return found


def replicas() -> list[int]:
    """Process ids."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes().startswith(b"ray::ServeReplica"):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def test_pictures_are_those_of_a_worker_on_this_machine(cluster: RunningServer, tmp_path: Path):
    with RunningServer(tmp_path / "local") as local, local.client() as near, cluster.client() as far:
        for client in (near, far):
            client.first = ended(client, {client.submit(request(seed), FRESH): seed for seed in range(6)})
        for seed in range(6):
            assert np.array_equal(near.first[seed].rgb, far.first[seed].rgb)


def test_a_replica_that_is_killed_under_load_costs_no_job(cluster: RunningServer):
    before = replicas()
    assert len(before) == 2
    with cluster.client() as client:
        jobs = {client.submit(request(SLOW + 40 + seed), FRESH): SLOW + 40 + seed for seed in range(40)}
        time.sleep(0.5)
        os.kill(before[0], signal.SIGKILL)
        found = ended(client, jobs)
        assert all(isinstance(event, Finished) for event in found.values()), cluster.console
        once_more = {client.submit(request(seed), FRESH): seed for seed in (SLOW + 40, SLOW + 79)}
        for seed, event in ended(client, once_more).items():
            assert np.array_equal(event.rgb, found[seed].rgb)
    end = time.monotonic() + 60
    while len(replicas()) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    assert len(replicas()) == 2


def test_cancelled_jobs_free_both_replicas_within_a_second(cluster: RunningServer):
    with cluster.client() as client:
        jobs = {client.submit(request(seed), FRESH): seed for seed in (SLOW + 30_000, SLOW + 30_001)}
        painting = set()
        while painting != set(jobs):
            painting |= {
                event.id for event in client.poll(50) if isinstance(event, Progress) and event.fraction > 0
            }
        cancelled_at = time.monotonic()
        for job in jobs:
            client.cancel(job)
        small = {client.submit(request(seed), FRESH): seed for seed in (1, 2)}
        found = ended(client, jobs | small)
        assert all(isinstance(found[seed], Cancelled) for seed in jobs.values())
        assert all(isinstance(found[seed], Finished) for seed in (1, 2))
        assert time.monotonic() - cancelled_at < 2


def test_a_runs_newer_model_is_served_by_all(cluster: RunningServer, run_folder: Path):
    with cluster.client() as client:
        first = ended(client, {client.submit(request(3, "mine"), FRESH): 3})[3]
        digest = write_checkpoint(run_folder, 200, shade=50)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pictures = [ended(client, {client.submit(request(3, "mine"), FRESH): 3})[3] for _ in range(4)]
            if {picture.model_digest for picture in pictures} == {digest}:
                break
        assert {picture.model_digest for picture in pictures} == {digest} != {first.model_digest}


def test_status_shows_the_replicas_and_the_cluster_is_closed_by_a_private_token(cluster: RunningServer):
    status = cluster.status()
    assert [(worker.state, worker.device) for worker in status.workers] == [("idle", "cpu")] * 2
    (token,) = cluster.file.parent.rglob("ray-token")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600 and re.fullmatch("[0-9a-f]{64}", token.read_text())


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as refused:
        ray_cluster.require_ray()
    assert "spade-backdrops[cluster]" in refused.value.fix
