# SPDX-License-Identifier: Apache-2.0
"""What befalls a training in the middle, in real processes: it costs nothing since the last step, and is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spade_core.checkpoint.names import photos_seen, states_of
from spade_core.data import loader
from spade_core.data.loader import AHEAD, workers_that_fit
from spade_core.training.__main__ import STOPPED, main
from tests.support.small_disk import small_disk
from tests.support.stripes_set import write_set
from tests.training.test_train_command import SMALL, spade_train

FEW = [word if word != "0" or SMALL[place - 1] != "--workers" else "1" for place, word in enumerate(SMALL)]
"""With a process that reads photos."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_set(tmp_path / "photos")


def readers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that read photos for this one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, command in commands.items() if b"resource_tracker" not in command]


def under_way(process: subprocess.Popen[str], run: Path) -> None:
    """Wait for the first step."""
    while not (run / "curves.csv").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc")
def test_a_worker_that_is_killed_costs_no_step_and_is_no_fault_of_the_program(photos: Path, tmp_path: Path):
    run = tmp_path / "run"
    process = spade_train("--data", photos, "-o", run, "--images", "100000", "--save-every", "100000", *FEW)
    under_way(process, run)
    for pid in readers(process):
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in said, said[-800:]
    assert "ended from outside" in said and "goes on" in said
    assert photos_seen(states_of(run)[-1]) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc")
def test_an_interrupt_is_heard_while_a_batch_is_waited_for_that_never_comes(photos: Path, tmp_path: Path):
    run = tmp_path / "run"
    process = spade_train("--data", photos, "-o", run, "--images", "100000", "--save-every", "100000", *FEW)
    under_way(process, run)
    stuck = readers(process)
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)  # as one that a disk does not answer
    curves, steps = run / "curves.csv", ""
    while steps != (steps := curves.read_text()):
        time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == STOPPED and "Traceback" not in said, said[-800:]
    assert photos_seen(states_of(run)[-1]) == 4 * len(steps.splitlines()) > 0
    assert stuck and not any(Path(f"/proc/{pid}").exists() for pid in stuck)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_a_damaged_photo_met_in_the_middle_costs_no_step(tmp_path: Path):
    photos, run = write_set(tmp_path / "photos", 160), tmp_path / "run"
    process = spade_train("--data", photos, "-o", run, "--images", "100000", "--save-every", "100000", *SMALL)
    under_way(process, run)
    for file in (photos / "images").iterdir():  # those that were not read yet are many
        cut_short(file)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2 and "is damaged or cut short" in said and "Traceback" not in said
    steps = len((run / "curves.csv").read_text().splitlines())
    assert [photos_seen(state) for state in states_of(run)] == [4 * steps]


def test_damaged_photos_are_skipped_where_that_is_wanted_and_each_is_named_once(
    photos: Path, tmp_path: Path, capfd
):
    broken, run = sorted((photos / "images").iterdir())[-1], tmp_path / "run"
    cut_short(broken)
    words = ["--data", photos, "-o", run, "--images", "48", "--save-every", "48", "--skip-damaged", *SMALL]
    assert main([str(word) for word in words]) == 0
    said = capfd.readouterr().err
    assert said.count("skipped: ") == 1 and broken.name in said


def test_no_more_workers_are_started_than_shared_memory_has_room_for(tmp_path: Path, monkeypatch):
    with small_disk(tmp_path / "shm", 1024) as disk:
        monkeypatch.setattr(loader, "SHARED_MEMORY", disk)
        batch = 100 * 1024
        assert workers_that_fit(15, batch) == 1024 * 1024 // ((AHEAD + 1) * batch)
        assert workers_that_fit(15, 2**20) == 0
        assert workers_that_fit(2, 1024) == 2


OWN_SHARED_MEMORY = pytest.mark.skipif(
    shutil.which("unshare") is None, reason="needs unshare, for a /dev/shm of its own"
)


@OWN_SHARED_MEMORY
def test_training_in_a_container_with_little_shared_memory_says_so_and_trains(photos: Path, tmp_path: Path):
    inside = "mount -t tmpfs -o size=100k tmpfs /dev/shm && exec " + " ".join(
        [sys.executable, "-m", "spade_core.cli", "train", "--data", str(photos), "-o", str(tmp_path / "run"),
         "--images", "8", *FEW]
    )  # fmt: skip
    ended = subprocess.run(["unshare", "-m", "sh", "-c", inside], capture_output=True, text=True, timeout=200)
    if "unshare" in ended.stderr or "mount:" in ended.stderr:
        pytest.skip("nobody but the administrator may do this here")
    assert ended.returncode == 0, ended.stderr[-800:]
    assert "0 in place of 1 processes read photos" in ended.stdout


def test_a_run_that_was_stopped_says_how_far_it_came_and_leaves_with_a_code_of_its_own(
    photos: Path, tmp_path: Path
):
    run = tmp_path / "run"
    words = ["--data", photos, "-o", run, "--images", "100000", *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-m", "spade_core.cli", "train", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    under_way(process, run)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=120)
    assert process.returncode == STOPPED == 130
    seen = photos_seen(states_of(run)[-1])
    assert "what was learned is saved" in said
    assert f"Stopped at {seen} of 100000 photos; the same command goes on." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [("--images -5", "--images is -5"), ("--batch 0", "--batch is 0"), ("--workers -1", "--workers is -1"),
     ("--threads -1", "--threads is -1"), ("--threads 9999", "--threads is 9999")],
)  # fmt: skip
def test_numbers_of_which_there_is_nothing_to_train_are_refused(
    photos: Path, tmp_path: Path, capsys, words, said
):
    assert main(["--data", str(photos), "-o", str(tmp_path / "run"), *words.split()]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_norm_that_would_see_one_number_is_refused_with_what_to_change(
    photos: Path, tmp_path: Path, capsys
):
    words = (
        "paper --generator.upsampling more --size 64 --generator.base-width 2 --perceptual taps --device cpu"
    )
    assert main([*words.split(), "--batch", "1", "--data", str(photos), "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "one cell" in said and "--size of 128" in said and "--batch" in said
    assert not list(tmp_path.glob("run/*.pt"))


def test_an_unknown_recipe_names_those_there_are(capsys):
    assert main(["papper", "--data", "x", "-o", "y"]) == 2
    said = capsys.readouterr().err
    assert "Did you mean paper?" in said and "pix2pixhd++" in said
    assert main(["--data", "nowhere", "-o", "y", "paper"]) == 2
    assert "The recipe 'paper' comes first" in capsys.readouterr().err
    assert main(["--data", "nowhere", "-o", "paper"]) == 2
    assert "comes first" not in capsys.readouterr().err, "a folder may be called so"
