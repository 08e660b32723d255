# SPDX-License-Identifier: Apache-2.0
"""spade generate --server: the real command talks to a real server."""

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.connection import read_connection_file
from tests.server.running import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("server"), wait=False) as running:
        yield running


def test_a_server_paints_by_its_connection_file_also_while_it_is_still_loading(
    spade, labels, server, tmp_path
):
    ended = spade("generate", labels, "-o", "out.png", "--server", server.file)
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "out.png") as made:
        assert made.size == (64, 48)


def test_a_server_paints_by_its_address_and_the_seed_travels(spade, labels, server, tmp_path):
    address = read_connection_file(server.file).address
    for seed in (1, 2):
        assert spade("generate", labels, "-o", f"{seed}.png", "--server", address, "--seed", seed).code == 0
    with Image.open(tmp_path / "1.png") as first, Image.open(tmp_path / "2.png") as second:
        assert not np.array_equal(np.asarray(first), np.asarray(second))


def test_a_style_picture_its_mix_and_its_strength_travel(spade, labels, server, tmp_path):
    Image.fromarray(np.full((40, 50, 3), 80, np.uint8)).save(tmp_path / "look.png")
    plain = np.asarray(paint(spade, labels, server, tmp_path, "--seed", 10)).astype(int)
    words = ("--seed", 10, "--style", "look.png", "--mix", 0.5, "--strength", 2)
    styled = np.asarray(paint(spade, labels, server, tmp_path, *words)).astype(int)
    # The trivial model adds the style to the colours: half way from the seed's (10) to the picture's (80), twice.
    assert np.unique((styled - plain) % 256).tolist() == [90]


def test_two_style_pictures_and_a_style_code_travel_as_they_are_mixed_in_this_process(
    spade, labels, server, tmp_path
):
    for name, grey in (("dark.png", 80), ("light.png", 200)):
        Image.fromarray(np.full((40, 50, 3), grey, np.uint8)).save(tmp_path / name)
    np.save(tmp_path / "look.npy", np.full(4, 20, np.float32))
    plain = np.asarray(paint(spade, labels, server, tmp_path, "--seed", 10)).astype(int)

    def added(*words):
        styled = np.asarray(paint(spade, labels, server, tmp_path, "--seed", 10, *words)).astype(int)
        return np.unique((styled - plain) % 256).tolist()

    assert added("--style", "dark.png", "--style-mix", "light.png") == [140]
    assert added("--style", "dark.png", "--style-mix", "light.png", "--mix", 0.25) == [110]
    assert added("--style", "look.npy") == [20]
    assert added("--style", "look.npy", "--style-mix", "dark.png") == [50]
    assert added("--style", "golden-hour") == [30]
    assert added("--style", "golden-hour", "--style-mix", "dark.png") == [55]


def test_an_instance_map_travels_to_a_model_that_looks_at_it(spade, labels, tmp_path):
    with Image.open(labels) as opened:
        objects = np.zeros((opened.height, opened.width), np.uint16)
    objects[10:20, 30:40] = 7
    Image.fromarray(objects).save(tmp_path / "objects.png")
    looking = "tests.server.trivial:InstancesSynthesizer"
    with RunningServer(tmp_path / "server", synthesizer=looking) as looks:
        plain = np.asarray(paint(spade, labels, looks, tmp_path)).astype(int)
        seen = np.asarray(paint(spade, labels, looks, tmp_path, "--instances", "objects.png")).astype(int)
    assert np.array_equal((seen - plain) % 256, np.repeat(objects[..., None], 3, axis=2))


def test_an_instance_map_for_a_model_that_does_not_look_at_it_is_refused(spade, labels, server, tmp_path):
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / "objects.png")
    words = ("--server", server.file, "--instances", "objects.png")
    ended = spade("generate", labels, "-o", "out.png", *words)
    assert ended.is_a_plain_refusal and "does not look at instances" in ended.err


def test_a_style_that_the_served_model_does_not_have_is_refused_with_those_it_has(spade, labels, server):
    ended = spade("generate", labels, "-o", "out.png", "--server", server.file, "--style", "dawn")
    assert ended.is_a_plain_refusal and "dawn" in ended.err and "golden-hour, night" in ended.err


def test_a_server_lists_the_styles_of_its_models(server):
    with server.client() as client:
        assert client.fetch_welcome().models[0].styles == ("golden-hour", "night")


def paint(spade, labels, server, tmp_path, *words):
    ended = spade("generate", labels, "-o", "out.png", "--server", server.file, *words)
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "out.png") as made:
        return made.copy()


def test_a_model_that_is_not_served_is_refused_with_the_names_of_those_that_are(spade, labels, server):
    ended = spade("generate", labels, "-o", "out.png", "--server", server.file, "--model", "seaside")
    assert ended.is_a_plain_refusal and "seaside" in ended.err and "landscape" in ended.err


def test_a_map_of_another_label_set_is_refused_before_it_is_sent(spade, labels, server):
    ended = spade("generate", labels, "-o", "out.png", "--server", server.file, "--label-set", "cityscapes")
    assert ended.is_a_plain_refusal and "cityscapes" in ended.err


def test_the_doctor_reaches_a_running_server(server, monkeypatch):
    from spade_core import doctor
    from spade_core.contract import connection

    monkeypatch.setattr(connection, "default_connection_file", lambda: server.file)
    found = doctor.CHECKS["server"]()
    assert found.verdict == doctor.OK and "landscape" in found.said


def test_the_doctor_tells_of_a_server_that_has_gone(tmp_path, monkeypatch):
    from spade_core import doctor
    from spade_core.contract import connection

    file = tmp_path / "server.json"
    gone = connection.ConnectionInfo("tcp://127.0.0.1:9", "tcp://127.0.0.1:9", pid=1)
    connection.write_connection_file(file, gone)
    monkeypatch.setattr(connection, "default_connection_file", lambda: file)
    found = doctor.CHECKS["server"]()
    assert found.verdict == doctor.WARN and str(file) in found.fix
