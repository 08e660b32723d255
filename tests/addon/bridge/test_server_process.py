# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping what serves: real processes, with small programs in the server's place."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from spade_backdrops.bridge.server_process import ServerLaunch, ServerProcess
from spade_backdrops.contract.errors import UnavailableError


def config(folder: Path, program: str) -> ServerLaunch:
    return ServerLaunch(command=(sys.executable, "-c", program), folder=folder, parent_pid=os.getpid())


def until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def test_a_server_that_dies_at_the_start_is_quoted(tmp_path):
    with ServerProcess(config(tmp_path, "print('no weights here'); raise SystemExit(2)")) as server:
        until(lambda: not server.is_running)
        with pytest.raises(UnavailableError) as refused:
            server.check()
    assert "exit code 2" in refused.value.message
    assert "no weights here" in refused.value.message


def test_a_program_that_cannot_run_is_one_sentence(tmp_path):
    server = ServerProcess(ServerLaunch((str(tmp_path),), tmp_path / "run", os.getpid()))
    with pytest.raises(UnavailableError):
        server.start()


def test_the_connection_file_is_what_makes_it_ready(tmp_path):
    program = "import sys, time; time.sleep(0.3); open(sys.argv[2], 'w').write('{}'); time.sleep(60)"
    with ServerProcess(config(tmp_path / "Größe", program)) as server:
        assert server.is_running and not server.is_ready
        until(lambda: server.is_ready)
    assert not server.config.connection_file.exists()


def test_an_old_connection_file_does_not_count(tmp_path):
    settings = config(tmp_path, "import time; time.sleep(60)")
    settings.connection_file.write_text("{}")
    with ServerProcess(settings) as server:
        assert not server.is_ready


@pytest.mark.skipif(os.name == "nt", reason="Windows has no TERM to ignore")
def test_a_server_that_ignores_term_is_killed(tmp_path):
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    )
    server = ServerProcess(config(tmp_path, program), stop_patience_s=0.3)
    server.start()
    until(lambda: "deaf" in server.console())
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 3
    assert not server.is_running


@pytest.mark.skipif(os.name == "nt", reason="Windows has no TERM to ignore")
def test_stopping_does_not_wait_for_a_server_that_ignores_term(tmp_path):
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    )
    server = ServerProcess(config(tmp_path, program), stop_patience_s=0.3)
    server.start()
    until(lambda: "deaf" in server.console())
    began = time.monotonic()
    server.stop()
    assert not server.has_ended()
    assert time.monotonic() - began < 0.1
    until(server.has_ended)
    assert not server.is_running


def test_blenders_own_python_settings_do_not_reach_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/blender/modules")
    program = "import os; print('path:', os.environ.get('PYTHONPATH'))"
    with ServerProcess(config(tmp_path, program)) as server:
        until(lambda: not server.is_running)
        assert "path: None" in server.console()


def test_a_server_that_keeps_dying_is_not_started_for_ever(tmp_path):
    with ServerProcess(config(tmp_path, "raise SystemExit(1)")) as server:
        starts = 0
        while server.restart():
            starts += 1
        assert starts == 3


# --- what is left of it ---


def left_by_a_dead_blender(folder: Path, pid: int, age_s: float) -> list[Path]:
    files = [folder / f"server-{pid}.log", folder / f"server-{pid}.json"]
    for file in files:
        file.write_text("old")
        os.utime(file, (time.time() - age_s,) * 2)
    return files


def test_of_blenders_that_have_ended_the_newest_three_logs_are_kept(tmp_path):
    left = [left_by_a_dead_blender(tmp_path, 4_100_000 + number, 60 * number) for number in range(8)]
    (tmp_path / "server-notes.log").write_text("the user's own")
    with ServerProcess(config(tmp_path, "import time; time.sleep(60)")) as server:
        kept = {file.name for file in tmp_path.iterdir()} - {server.config.console_file.name}
    assert kept == {"server-notes.log", *(log.name for log, _ in left[:3])}


def test_a_log_goes_with_the_end_of_blender_unless_the_server_ended_by_itself(tmp_path):
    fine = ServerProcess(config(tmp_path / "fine", "import time; time.sleep(60)"))
    fine.start()
    fine.close()
    fine.remove_log()
    assert not fine.config.console_file.exists()
    broken = ServerProcess(config(tmp_path / "broken", "raise SystemExit('no memory')"))
    broken.start()
    until(lambda: not broken.is_running)
    broken.close()
    broken.remove_log()
    assert "no memory" in broken.console()


def test_a_log_does_not_grow_for_ever(tmp_path):
    program = "import time\nfor line in range(30000): print('line', line, 'x' * 60)\ntime.sleep(60)"
    with ServerProcess(config(tmp_path, program)) as server:
        until(lambda: "line 29999" in server.console())
        server.limit_log()
        assert server.config.console_file.stat().st_size <= 8192
        assert "line 29999" in server.console()
