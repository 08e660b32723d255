# SPDX-License-Identifier: Apache-2.0
"""A server that serves a training run while it goes on: real processes, checkpoints that appear as training's do."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.checkpoint.sources import checkpoint_versions, model_source
from spade_core.contract.client import Client
from spade_core.contract.errors import LabelSetMismatchError, UnknownModelError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Failed, Finished, Progress
from spade_core.contract.request import PictureRequest
from spade_core.synthesis.synthesizer import Synthesizer
from tests.server.running import RunningServer, process_exists
from tests.server.test_lifecycle import start
from tests.server.trivial import SLOW, write_checkpoint
from tests.support.tiny import tiny_checkpoint

PATIENCE_S = 20


@pytest.fixture
def run(tmp_path) -> Path:
    """A run that has begun and has no model yet."""
    folder = tmp_path / "runs" / "my"
    folder.mkdir(parents=True)
    return folder


def serving(run: Path, *others: str, **options) -> RunningServer:
    return RunningServer(run.parents[1] / "server", "--models", str(run), *others, **options)


def until(holds, *clients: Client, patience_s: float = PATIENCE_S) -> list:
    """Poll until it holds; returns the clients' events."""
    events, end = [], time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, "it did not come"
        for client in clients:
            events += client.poll(20)
        if not clients:
            time.sleep(0.05)
    return events


def served(client: Client, name: str = "my"):
    """What the server last said of a model, or None."""
    models = client.welcome.models if client.welcome else ()
    return next((model for model in models if model.name == name), None)


def problems(client: Client) -> str:
    """What the server last said is wrong."""
    return " ".join(problem.message for problem in client.welcome.problems) if client.welcome else ""


def announced(client: Client, digest: str, name: str = "my") -> list:
    """Wait until the server has said that it serves this checkpoint."""
    return until(lambda: (model := served(client, name)) is not None and model.digest == digest, client)


def finished(client: Client, job: str) -> Finished:
    end = [
        event for event in until(lambda: job not in client.live, client) if getattr(event, "id", "") == job
    ]
    end += [event for event in client.poll() if getattr(event, "id", "") == job]
    assert isinstance(end[-1], Finished), end[-1]
    return end[-1]


def test_the_newest_checkpoint_of_a_run_is_served_under_its_folders_name(run, landscape, label_map):
    write_checkpoint(run, 9_000, shade=9)
    newest = write_checkpoint(run, 10_000, shade=10)
    (run / "state_00010000.pt").write_bytes(b"not for serving")
    (run / "model_00012000.safetensors.part").write_bytes(b"not complete")
    with serving(run) as server, server.client() as client:
        assert np.array_equal(
            client.generate(PictureRequest(label_map, landscape, model="my")).rgb,
            landscape.colorize(label_map) + 10,
        )
        model = served(client)
        assert (model.digest, model.file) == (newest, "model_00010000.safetensors")
        assert "my (model_00010000.safetensors)" in server.console


def test_no_request_of_a_stream_is_lost_or_mixed_over_three_reloads(run, landscape, label_map):
    shades = {write_checkpoint(run, 2000, shade=20): 20}
    expected = landscape.colorize(label_map)
    with serving(run) as server, server.client() as one, server.client() as other:
        announced(one, *shades), announced(other, *shades)
        sent, ends = {}, {}

        def listen() -> None:
            for client in (one, other):
                for event in client.poll(10):
                    if isinstance(event, Finished | Failed):
                        assert event.id not in ends
                        ends[event.id] = event

        def stream() -> bool:
            """Keep eight requests on their way, the quick half of them like earlier ones."""
            for client in (one, other):
                while len(client.live) < 4:
                    seed = len(sent) // 2 % 50 if len(sent) % 2 else SLOW + len(sent) % 40
                    sent[client.submit(PictureRequest(label_map, landscape, model="my", seed=seed))] = seed
            listen()
            newest = list(shades)[-1]
            painted = any(end.model_digest == newest for end in ends.values())
            return painted and served(one).digest == served(other).digest == newest

        for photos in (4000, 6000, 8000):
            shades[write_checkpoint(run, photos, shade=photos // 100, load_s=0.3)] = photos // 100
            until(stream)
        until(lambda: listen() or not (one.live or other.live))
    assert set(ends) == set(sent) and len(sent) > 50
    assert all(isinstance(end, Finished) for end in ends.values())
    assert any(end.cached for end in ends.values())
    for job, end in ends.items():
        shift = (sent[job] + shades[end.model_digest]) % 251
        assert np.array_equal(end.rgb, expected + np.uint8(shift)), (
            "a picture of another checkpoint than it names"
        )


def test_a_job_that_runs_while_a_newer_checkpoint_comes_is_finished_by_the_one_it_began_with(
    run, landscape, label_map
):
    old = write_checkpoint(run, 2000, shade=1)
    with serving(run) as server, server.client() as client:
        announced(client, old)
        running = client.submit(PictureRequest(label_map, landscape, model="my", seed=SLOW + 3000))
        server.wait_for(lambda status: status.running == 1)
        queued = client.submit(PictureRequest(label_map, landscape, model="my", seed=5))
        new = write_checkpoint(run, 4000, shade=2)
        ends = {}
        for event in until(lambda: not client.live, client) + client.poll():
            if isinstance(event, Finished):
                ends[event.id] = event
        assert [ends[job].model_digest for job in (running, queued)] == [old, new]
        assert np.array_equal(ends[queued].rgb, landscape.colorize(label_map) + 7)


def test_the_picture_of_an_older_checkpoint_is_not_handed_out_for_a_newer_one(run, landscape, label_map):
    digests = [write_checkpoint(run, 2000, shade=1)]
    with serving(run) as server, server.client() as client:
        for photos in (4000, 6000):
            announced(client, digests[-1])
            replies = [
                finished(client, client.submit(PictureRequest(label_map, landscape, model="my")))
                for _ in range(2)
            ]
            assert [reply.cached for reply in replies] == [False, True]
            assert {reply.model_digest for reply in replies} == {digests[-1]}
            digests.append(write_checkpoint(run, photos, shade=photos // 1000))


def test_a_broken_newer_checkpoint_is_reported_once_and_the_older_one_serves_on(run, landscape, label_map):
    good = write_checkpoint(run, 2000, shade=3)
    with serving(run) as server, server.client() as client:
        announced(client, good)
        (run / "model_00004000.safetensors").write_bytes(b"{ half of")
        until(lambda: "model_00004000" in problems(client), client)
        time.sleep(2.5)  # two more looks at it
        assert server.console.count("model_00004000.safetensors cannot be read: it is truncated") == 1
        assert "Until then 'my' is model_00002000.safetensors" in server.console
        reply = finished(client, client.submit(PictureRequest(label_map, landscape, model="my")))
        assert reply.model_digest == good and server.status().state == "ready"
        better = write_checkpoint(run, 4000, shade=4)  # the same name, written again
        announced(client, better)
        assert client.welcome.problems == ()


def test_a_server_started_on_a_run_whose_newest_checkpoint_is_broken_serves_the_one_before(
    run, landscape, label_map
):
    good = write_checkpoint(run, 2000, shade=3)
    (run / "model_00004000.safetensors").write_bytes(b"")
    with serving(run) as server, server.client() as client:
        assert (
            finished(client, client.submit(PictureRequest(label_map, landscape, model="my"))).model_digest
            == good
        )
        assert "model_00004000.safetensors cannot be read" in problems(client)


def test_a_run_without_a_model_says_so_and_is_served_when_the_first_one_comes(run, landscape, label_map):
    with serving(run, "landscape") as server, server.client() as client:
        with pytest.raises(
            UnknownModelError, match="no model yet.*as soon as its training writes the first one"
        ):
            client.generate(PictureRequest(label_map, landscape, model="my"))
        assert client.generate(PictureRequest(label_map, landscape, model="landscape")).rgb.shape == (
            64,
            96,
            3,
        )
        announced(client, write_checkpoint(run, 2000, shade=1))
        assert np.array_equal(
            client.generate(PictureRequest(label_map, landscape, model="my")).rgb,
            landscape.colorize(label_map) + 1,
        )
        assert client.welcome.problems == () and server.status().state == "ready"


def test_a_server_with_nothing_but_a_run_that_has_just_begun_becomes_ready_by_itself(
    run, landscape, label_map
):
    run.rmdir()  # the server is started before the training
    with serving(run) as server, server.client() as client:
        assert "no model yet" in server.wait_for(lambda status: status.state == "failed").problems[0].message
        run.mkdir()
        announced(client, write_checkpoint(run, 2000))
        assert server.status().state == "ready"


def test_a_first_model_that_came_while_the_device_was_given_back_is_found(run, landscape, label_map):
    with serving(run) as server, server.client() as client:
        client.release_device()
        server.wait_for(lambda status: len(status.pids) == 1)
        write_checkpoint(run, 2000, shade=6)
        assert np.array_equal(
            client.generate(PictureRequest(label_map, landscape, model="my")).rgb,
            landscape.colorize(label_map) + 6,
        )


def test_a_newer_checkpoint_with_other_labels_refuses_maps_of_the_old_ones(run, landscape, label_map):
    old = write_checkpoint(run, 2000)
    with serving(run) as server, server.client() as client:
        announced(client, old)
        running = client.submit(PictureRequest(label_map, landscape, model="my", seed=SLOW + 2500))
        server.wait_for(lambda status: status.running == 1)
        queued = client.submit(
            PictureRequest(label_map, landscape, model="my", seed=1)
        )  # admitted while the old labels count
        cityscapes = load_label_set("cityscapes")
        new = write_checkpoint(run, 4000, cityscapes, shade=2)
        ends = {}
        for event in until(lambda: not client.live, client) + client.poll():
            if isinstance(event, Finished | Failed):
                ends[event.id] = event
        assert ends[running].model_digest == old
        assert (
            isinstance(ends[queued].error, LabelSetMismatchError) and "cityscapes" in ends[queued].error.fix
        )
        announced(client, new)
        with pytest.raises(LabelSetMismatchError, match="cityscapes"):
            client.generate(PictureRequest(label_map, landscape, model="my"))
        fetched = client.fetch_label_set(served(client).label_set_digest)
        assert fetched == cityscapes
        streets = np.full((64, 64), 7, np.uint8)
        assert np.array_equal(
            client.generate(PictureRequest(streets, fetched, model="my")).rgb, fetched.colorize(streets) + 2
        )


def test_a_worker_killed_while_it_loads_a_newer_checkpoint_costs_no_request(run, landscape, label_map):
    old = write_checkpoint(run, 2000, shade=1)
    with serving(run) as server, server.client() as client:
        announced(client, old)
        (run / "loading").unlink()
        jobs = [
            client.submit(PictureRequest(label_map, landscape, model="my", seed=seed))
            for seed in (SLOW + 4000, 2, 3)
        ]
        worker = server.wait_for(lambda status: status.running == 1).pids[1]
        new = write_checkpoint(run, 4000, shade=2, load_s=1.0)
        events = until((run / "loading").exists, client)
        assert any(isinstance(event, Progress) for event in events)
        os.kill(worker, signal.SIGKILL)
        events += until(lambda: not client.live, client) + client.poll()
        ends = [event for event in events if isinstance(event, Finished | Failed)]
        assert [end.id for end in ends] == jobs and not process_exists(worker)
        for end, seed in zip(ends, (SLOW + 4000, 2, 3), strict=True):
            assert end.model_digest == new
            assert np.array_equal(end.rgb, landscape.colorize(label_map) + np.uint8((seed + 2) % 251))


def test_a_checkpoint_deleted_while_it_is_served_is_served_on(run, landscape, label_map):
    older, newer = write_checkpoint(run, 2000, shade=1), write_checkpoint(run, 4000, shade=2)
    with serving(run) as server, server.client() as client:
        announced(client, newer)
        (run / "model_00004000.safetensors").unlink()
        announced(client, older)  # what is in the folder counts, so a bad last checkpoint can be taken back
        (run / "model_00002000.safetensors").unlink()
        time.sleep(1.5)
        assert (
            finished(client, client.submit(PictureRequest(label_map, landscape, model="my"))).model_digest
            == older
        )
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
        run.touch()
        until(lambda: "cannot be read: Not a directory" in problems(client), client)
        run.unlink()
        until(lambda: client.welcome.problems == (), client)
        assert (
            finished(
                client, client.submit(PictureRequest(label_map, landscape, model="my", seed=1))
            ).model_digest
            == older
        )
        os.kill(server.status().pids[1], signal.SIGKILL)  # now nothing is left of it
        with pytest.raises(UnknownModelError, match="no longer there"):
            client.generate(PictureRequest(label_map, landscape, model="my", seed=2))
        run.mkdir()
        announced(client, write_checkpoint(run, 6000))


def test_several_runs_and_models_are_served_and_followed_each_by_itself(run, landscape, label_map):
    other = run.parent / "Größe 谷"
    other.mkdir()
    mine, theirs = write_checkpoint(run, 2000, shade=1), write_checkpoint(other, 2000, shade=2)
    with serving(run, str(other) + "/", "landscape") as server, server.client() as client:
        announced(client, mine), announced(client, theirs, other.name)
        newer = write_checkpoint(other, 4000, shade=3)
        announced(client, newer, other.name)
        for name, shade in (("my", 1), (other.name, 3), ("landscape", 0)):
            rgb = client.generate(PictureRequest(label_map, landscape, model=name)).rgb
            assert np.array_equal(rgb, landscape.colorize(label_map) + np.uint8(shade))
        assert served(client).digest == mine and served(client, "landscape").file == ""
        assert server.status().state == "ready"


def test_two_models_of_one_name_are_refused_before_anything_starts(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "my").mkdir(parents=True)
    models = [str(tmp_path / name / "my") for name in ("a", "b")]
    refused = start("--models", *models, "--connection-file", str(tmp_path / "server.json"))
    assert refused.returncode == 2 and "both be served as 'my'" in refused.stderr


def test_an_embedded_model_is_not_hidden_by_a_folder_of_its_name(tmp_path, monkeypatch):
    for name in ("landscape", "my"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert not model_source("landscape").is_run and model_source("./landscape").is_run
    assert model_source("my").is_run and model_source("runs/yet to come").is_run
    assert not (model_source("missing").is_run or model_source("runs/missing.safetensors").is_run)
    named = [model_source(model).name for model in ("my", "my/", str(tmp_path / "my"), "x/y.safetensors")]
    assert named == ["my", "my", "my", "y"]
    monkeypatch.chdir(tmp_path / "my")
    assert model_source(".").name == "my"


def test_the_newest_is_the_one_that_saw_most_photos_whatever_the_names_length(run):
    for photos in (9_000, 120_000_000, 99_000_000):
        write_checkpoint(run, photos)
    (run / "model_best.safetensors").touch()
    names = [version.file_name for version in checkpoint_versions(run)]
    assert names == [f"model_{photos:08}.safetensors" for photos in (120_000_000, 99_000_000, 9_000)]


def test_checkpoints_of_the_real_network_are_followed_too(run, landscape, label_map):
    def save(photos: int, scale: float):
        checkpoint = tiny_checkpoint()
        for weights in checkpoint.generator_weights.values():
            if weights.is_floating_point():
                weights *= scale
        file = run / f"model_{photos:08}.safetensors"
        save_checkpoint(file, checkpoint)
        return Synthesizer.load(file, "cpu")

    models = [save(2000, 1.0)]
    real = {"synthesizer": "spade_core.synthesis.synthesizer:Synthesizer"}
    with serving(run, "--device", "cpu", "--threads", "1", **real) as server, server.client() as client:
        for photos in (2000, 4000):
            models += [save(photos, 0.9)] if photos > 2000 else []
            announced(client, models[-1].digest)
            reply = finished(client, client.submit(PictureRequest(label_map, landscape, model="my", seed=3)))
            assert reply.model_digest == models[-1].digest
            assert (
                np.abs(reply.rgb.astype(int) - models[-1].render(label_map, None, 3).astype(int)).max() <= 1
            )
        (run / "model_00006000.safetensors").write_bytes(
            (run / "model_00004000.safetensors").read_bytes()[:9000]
        )
        until(lambda: "model_00006000.safetensors cannot be read" in problems(client), client)
        assert server.status().state == "ready"
