# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on the board, with a real server behind it."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from spade_backdrops.bridge.connection import Connection, ServerTarget
from spade_backdrops.bridge.jobs import Job, JobBoard, JobState, SceneRequest
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.contract.request import SeedStyle

from tests.addon.serving import command, until
from tests.server.trivial import SLOW


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    connection = Connection()
    folder = tmp_path_factory.mktemp("server")
    connection.open(ServerTarget(server=lambda: ServerLaunch(find_command(command()), folder, os.getpid())))
    yield connection
    connection.close()


@pytest.fixture
def board(connection) -> JobBoard:
    return JobBoard(connection)


def request_for(scene_uid: int = 1, seed: int = 0, **changes) -> SceneRequest:
    facts = {
        "label_map": np.full((64, 96), 5, np.uint8),
        "label_set": load_label_set("landscape"),
        "model": "landscape",
        "seed": seed,
        "scene_uid": scene_uid,
        "scene_name": "Szene 場景",
        "blend_file": "",
        "camera_name": "Camera",
    }
    return SceneRequest(**{**facts, **changes})


def ended(board: JobBoard, job: Job, seconds: float = 30.0) -> Job:
    until(lambda: not job.is_live, board.step, seconds)
    return job


def test_a_job_waits_for_its_server_and_gets_its_picture(board):
    job = ended(board, board.add(request_for()))
    assert job.state is JobState.FINISHED and board.finished == [job]
    assert job.rgb.shape == (64, 96, 3) and job.rgb.dtype == np.uint8


def test_a_style_seed_of_its_own_is_sent(board):
    job = ended(board, board.add(request_for(style=SeedStyle(7))))
    bare = ended(board, board.add(request_for(scene_uid=2)))
    assert (job.rgb == bare.rgb + np.uint8(7)).all() and job.state is JobState.FINISHED


def test_a_cancelled_job_never_has_a_picture(board):
    job = board.add(request_for(seed=SLOW + 300))
    until(lambda: job.state is JobState.RUNNING, board.step)
    board.cancel(job)
    witness = ended(board, board.add(request_for(scene_uid=2)))
    assert job.state is JobState.CANCELLED and job.rgb is None
    assert board.finished == [witness]


def test_the_newest_job_of_a_scene_wins(board):
    older = board.add(request_for(seed=SLOW + 300))
    until(lambda: older.id, board.step)
    newer = board.add(request_for(seed=2))
    ended(board, newer)
    assert older.state is JobState.CANCELLED
    assert board.finished == [newer]


def test_two_scenes_do_not_get_in_each_others_way(board):
    first, second = board.add(request_for(scene_uid=1)), board.add(request_for(scene_uid=2))
    ended(board, first), ended(board, second)
    assert board.finished == [first, second]


def test_a_placed_picture_leaves_the_board_and_its_times_stay(board):
    job = ended(board, board.add(request_for()))
    board.placed(job)
    assert board.finished == [] and board.last_placed is job
    assert job.seconds["total"] >= job.seconds["run"]


def test_a_picture_nobody_placed_is_kept(board):
    job = ended(board, board.add(request_for()))
    for _ in range(5):
        board.step()
    assert board.finished == [job]
    board.discard(job)
    assert board.finished == []


def test_another_label_set_than_the_models_is_one_sentence_with_its_remedy(board):
    job = ended(board, board.add(request_for(label_set=load_label_set("ade20k"))))
    assert job.state is JobState.FAILED
    assert job.error.code == "LABEL_SET_MISMATCH" and "ade20k" in job.error.message


def test_a_model_the_server_does_not_have_names_those_it_has(board):
    job = ended(board, board.add(request_for(model="seascape")))
    assert job.error.code == "UNKNOWN_MODEL" and "landscape" in job.error.fix


def test_a_size_over_the_servers_limit_is_refused_at_once(board):
    job = ended(board, board.add(request_for(label_map=np.zeros((32, 9000), np.uint8))))
    assert job.error.code == "TOO_LARGE"


def test_a_job_that_is_refused_at_once_is_among_those_that_ended(board):
    ended(board, board.add(request_for()))  # the server is ready by now
    refused = board.add(request_for(model="seascape"))
    assert refused.state is JobState.FAILED and board.step() == [refused] and board.step() == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_job_survives_the_death_of_its_server(board):
    job = board.add(request_for(seed=SLOW + 800))
    until(lambda: job.state is JobState.RUNNING, board.step)
    os.kill(board.connection.server.pid, signal.SIGKILL)
    ended(board, job)
    assert job.state is JobState.FINISHED


def test_jobs_of_a_server_that_is_lost_fail_with_its_reason():
    board = JobBoard(Connection(silence_s=0.5))
    board.connection.open(ServerTarget(address="tcp://127.0.0.1:9"))
    first, second = board.add(request_for(scene_uid=1)), board.add(request_for(scene_uid=2))
    for job in (first, second):
        ended(board, job)
        assert job.state is JobState.FAILED and job.error.code == "UNAVAILABLE"
    board.connection.close()
