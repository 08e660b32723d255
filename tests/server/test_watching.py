# SPDX-License-Identifier: Apache-2.0
"""How who runs a server sees what it does: status, top, drain, and a line for each job."""

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from spade_core.contract.client import Client
from spade_core.contract.errors import SpadeError
from spade_core.contract.messages import Finished
from spade_core.contract.request import PictureRequest
from tests.server.running import ROOT, RunningServer
from tests.server.trivial import DIES, IS_BROKEN, SLOW, write_checkpoint

SERVER = [sys.executable, "-W", "error", "-m", "server"]


def told(*words: str, timeout_s: float = 30, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*SERVER, *words], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, **options
    )


def jobs_in(console: str) -> list[dict]:
    """The lines of jobs in a log that is JSON; each line has to be an object."""
    return [line for line in map(json.loads, console.splitlines()) if line["event"] == "job"]


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory):
    """Keys of nobody else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def watched(tmp_path_factory, own_keys):
    """A server that says everything as JSON, and for which anna has a key."""
    folder = tmp_path_factory.mktemp("watched")
    with RunningServer(folder, "--log-format", "json", "--models", "landscape", "coco_stuff") as server:
        words = ("--address", server.connection.address, "-o", str(folder / "anna.key"))
        assert told("keys", "new", "anna", *words).returncode == 0
        yield server


def test_status_says_how_it_is_on_one_screen_and_by_its_exit_code(watched):
    asked = told("status", "--server", str(watched.file))
    assert asked.returncode == 0 and asked.stderr == ""
    assert (
        "ready" in asked.stdout
        and "coco_stuff, landscape" in asked.stdout
        or "landscape, coco_stuff" in asked.stdout
    )
    assert "worker   idle on cpu" in asked.stdout and len(asked.stdout.splitlines()) < 15


def test_status_as_json_has_all_of_it(watched):
    status = json.loads(told("status", "--json", "--server", str(watched.file)).stdout)
    assert status["state"] == "ready" and status["exit_code"] == 0
    assert {model["name"] for model in status["models"]} == {"landscape", "coco_stuff"}
    worker = status["workers"][0]
    assert worker["pid"] in status["pids"] and 0 < worker["memory_bytes"] < worker["device_bytes"]


def test_an_artist_elsewhere_asks_for_the_status_and_for_nothing_else(watched):
    key = str(watched.file.with_name("anna.key"))
    asked = told("status", "--server", key)
    assert asked.returncode == 0 and "ready" in asked.stdout
    for command in ("top", "drain"):
        refused = told(command, "--server", key)
        assert refused.returncode == 2 and "'anna'" in refused.stderr and "Traceback" not in refused.stderr
    assert watched.status().state == "ready"


def test_a_revoked_key_and_a_server_that_has_gone_have_exit_codes_of_their_own(watched, tmp_path):
    key = tmp_path / "ben.key"
    told("keys", "new", "ben", "--address", watched.connection.address, "-o", str(key))
    told("keys", "revoke", "ben")
    asked = told("status", "--server", str(key))
    assert asked.returncode == 7 and "does not let this key in" in asked.stderr
    nobody = told("status", "--server", "tcp://127.0.0.1:1", "--timeout", "1")
    assert nobody.returncode == 6 and "does not answer" in nobody.stderr
    none = told("status", "--json", "--server", str(tmp_path / "none.json"))
    assert none.returncode == 6 and json.loads(none.stdout)["state"] == "unavailable"


def test_a_server_that_loads_leaves_or_serves_nothing_is_told_apart(tmp_path, own_keys, landscape, label_map):
    with RunningServer(tmp_path / "bad", "--models", str(tmp_path / "truncated.safetensors")) as server:
        asked = told("status", "--server", str(server.file))
        assert asked.returncode == 5 and "Copy it again." in asked.stdout + asked.stderr
    run = tmp_path / "run"
    run.mkdir()
    write_checkpoint(run, 1, load_s=30)
    with RunningServer(tmp_path / "loading", "--models", str(run), wait=False) as server:
        asked = told("status", "--server", str(server.file))
        assert asked.returncode == 3 and "loading its models" in asked.stdout
    with RunningServer(tmp_path / "leaving") as server, server.client() as client:
        client.submit(PictureRequest(label_map, landscape, seed=SLOW + 20_000))
        server.wait_for(lambda status: status.running == 1)
        assert told("drain", "--server", str(server.file)).returncode == 0
        assert told("status", "--server", str(server.file)).returncode == 4


@pytest.mark.parametrize("words", [("status",), ("top", "--once"), ("drain", "--wait")])
def test_the_commands_need_no_torch(words, tmp_path, own_keys):
    folder = tmp_path / "torchless"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ImportError('torch was wanted')")
    with RunningServer(tmp_path) as server:
        environment = os.environ | {"PYTHONPATH": str(folder)}
        asked = told(*words, "--server", str(server.file), env=environment)
        assert asked.returncode == 0, asked.stderr


def test_drain_finishes_what_was_accepted_refuses_the_new_and_waits_until_it_has_left(
    tmp_path, own_keys, landscape, label_map
):
    with RunningServer(tmp_path) as server, server.client() as client:
        jobs = [client.submit(PictureRequest(label_map, landscape, seed=SLOW + 1500 + n)) for n in range(2)]
        server.wait_for(lambda status: status.running == 1 and status.queued == 1)
        drain = subprocess.Popen(
            [*SERVER, "drain", "--wait", "--server", str(server.file)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        server.wait_for(lambda status: status.state == "draining")
        late = client.submit(PictureRequest(label_map, landscape, seed=5))
        done, delayed, end = [], False, time.monotonic() + 15
        while len(done) < 2 and time.monotonic() < end:
            for event in client.poll(50):
                done += [event.id] if isinstance(event, Finished) else []
                delayed |= getattr(event, "id", "") == late and "leaving" in str(getattr(event, "error", ""))
        assert done == jobs and delayed
        said, _ = drain.communicate(timeout=20)
        assert drain.returncode == 0 and "It has left." in said and server.process.wait(5) == 0


def test_drain_within_a_time_gives_up_what_takes_longer(tmp_path, own_keys, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        client.submit(PictureRequest(label_map, landscape, seed=SLOW + 60_000))
        server.wait_for(lambda status: status.running == 1)
        began = time.monotonic()
        said = told("drain", "--wait", "--within", "1", "--server", str(server.file))
        assert said.returncode == 0 and 0.5 < time.monotonic() - began < 8
        assert "DRAINING" in server.console


def test_every_job_has_one_line_with_the_ids_that_its_client_knows(watched, landscape, label_map):
    with watched.client() as client:
        picture = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 100))
        broken = client.submit(PictureRequest(label_map, landscape, seed=IS_BROKEN))
        stopped = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 30_000))
        client.cancel(stopped)
        end = time.monotonic() + 20
        while (client.live or len(jobs_in(watched.console)) < 3) and time.monotonic() < end:
            client.poll(50)
        again = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 100))
        wanted = [picture, broken, stopped, again]
        while client.live and time.monotonic() < end:
            client.poll(50)
    time.sleep(0.3)
    lines = [line for line in jobs_in(watched.console) if line["job"] in wanted]
    assert sorted(line["job"] for line in lines) == sorted(wanted)  # each once
    line = {line["job"]: line for line in lines}
    painted = line[picture]
    assert painted["client"] == client.id and painted["user"] == "local"
    assert (painted["model"], painted["width"], painted["height"]) == ("landscape", 96, 64)
    assert (
        painted["seed"] == SLOW + 100
        and painted["bytes"] == 96 * 64 * 3
        and painted["model_digest"] == "0" * 64
    )
    assert painted["paint_ms"] > 90 and painted["wait_ms"] >= 0 and not painted["cached"]
    assert line[broken]["outcome"] == "INTERNAL" and line[stopped]["outcome"] == "CANCELLED"
    assert painted["outcome"] == line[again]["outcome"] == "FINISHED" and line[again]["cached"]


def test_a_job_of_an_artist_elsewhere_is_logged_under_her_name(watched, landscape, label_map):
    with Client.at(str(watched.file.with_name("anna.key"))) as anna:
        anna.generate(PictureRequest(label_map, landscape, seed=77))
    time.sleep(0.3)
    assert [line["seed"] for line in jobs_in(watched.console) if line["user"] == "anna"] == [77]


def test_as_text_a_job_is_one_line_too_whatever_its_client_calls_the_model(
    tmp_path, own_keys, landscape, label_map
):
    with RunningServer(tmp_path) as server, server.client() as client:
        client.generate(PictureRequest(label_map, landscape, seed=9))
        with pytest.raises(SpadeError):
            client.generate(PictureRequest(label_map, landscape, model="no\nJob such", seed=9))
        with pytest.raises(SpadeError):
            client.generate(PictureRequest(label_map, landscape, seed=DIES), timeout_s=30)
        time.sleep(0.3)
        lines = [line for line in server.console.splitlines() if line.startswith("Job ")]
    assert len(lines) == 3
    assert "user local" in lines[0] and "FINISHED" in lines[0] and "96x64, seed 9" in lines[0]
    assert "UNKNOWN_MODEL" in lines[1] and "no\\nJob such" in lines[1] and "POISON" in lines[2]


def test_top_counts_jobs_and_gives_percentiles_by_model_and_user(watched, landscape, label_map):
    with watched.client() as client:
        for n in range(5):
            client.generate(PictureRequest(label_map, landscape, seed=SLOW + 40 + n))
    seen = told("top", "--once", "--server", str(watched.file))
    assert seen.returncode == 0 and "\x1b" not in seen.stdout
    rows = [line.split() for line in seen.stdout.splitlines()]
    assert any(row[:2] == ["all", "jobs"] for row in rows)
    model = next(row for row in rows if row[:2] == ["model", "landscape"])
    assert int(model[4]) >= 5 and model[-1] in ("ms", "s")
    assert any(row[:2] == ["user", "local"] for row in rows)


def test_top_in_a_pipe_goes_on_until_its_reader_leaves(watched):
    top = subprocess.Popen(
        [*SERVER, "top", "--interval", "0.2", "--server", str(watched.file)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert top.stdout is not None and top.stderr is not None
    for _ in range(2):
        while not top.stdout.readline().startswith("all jobs"):
            assert top.poll() is None
    top.stdout.close()
    assert top.wait(10) == 0 and top.stderr.read() == ""
    top.stderr.close()


@pytest.mark.parametrize("leave", [b"q", b"\x03"])
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_top_on_a_terminal_refreshes_in_place_until_q_or_control_c(watched, leave):
    ours, its = pty.openpty()
    top = subprocess.Popen(
        [*SERVER, "top", "--interval", "0.2", "--server", str(watched.file)],
        cwd=ROOT, stdin=its, stdout=its, stderr=its, start_new_session=True,
        preexec_fn=_take_terminal, env=os.environ | {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"},
    )  # fmt: skip
    os.close(its)
    seen = b""
    end = time.monotonic() + 20
    while seen.count(b"all jobs") < 2 and time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            seen += os.read(ours, 65536)
    assert (
        b"\x1b[?1049h" in seen and b"q leaves" in seen
    )  # the terminal's other screen, given back at the end
    os.write(ours, leave)
    while top.poll() is None and time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
    assert top.wait(5) == 0 and b"Traceback" not in seen
    os.close(ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
