# SPDX-License-Identifier: Apache-2.0
"""A server's configuration file: what it may say, who wins, and how a mistake is told."""

import json
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from server.command_line import parse
from server.config import ServerConfig
from server.config_file import ONLY_ON_THE_COMMAND_LINE, read_config, write_config
from server.user_limits import UserLimits
from spade_core.contract.errors import BadOptionError
from tests.server.running import ROOT, RunningServer
from tests.server.test_watching import told


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where a user's file is; nobody else's is looked at."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    place = tmp_path / "config" / "spade-backdrops" / "server.toml"
    place.parent.mkdir(parents=True)
    return place


def test_a_server_takes_its_users_file_and_options_win_over_it(file):
    file.write_text('models = ["landscape", "coco_stuff"]\nmax-side = 512\nthreads = 2\n')
    assert parse([]).models == ("landscape", "coco_stuff") and parse([]).max_side == 512
    config = parse(["--max-side", "1024", "--models", "ade20k"])
    assert (config.max_side, config.models, config.threads) == (1024, ("ade20k",), 2)
    assert config.config == file


def test_a_file_that_is_named_is_taken_in_place_of_the_users(file, tmp_path):
    file.write_text("threads = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("max-side = 512\n")
    for words in (["--config", str(other)], [f"--config={other}"]):
        config = parse(words)
        assert (config.threads, config.max_side, config.config) == (0, 512, other)


def test_a_server_that_belongs_to_another_process_takes_only_what_it_is_told(file):
    file.write_text('bind = "tcp://0.0.0.0:5570"\n')
    assert parse(["--parent-pid", "1"]).bind == ServerConfig.bind


def test_a_server_of_one_artist_takes_larger_pictures(file):
    assert (parse([]).max_side, parse(["--parent-pid", "1"]).max_side) == (4096, 8192)
    assert parse(["--parent-pid", "1", "--max-side", "1024"]).max_side == 1024


@pytest.mark.parametrize(
    "text, named, fix",
    [
        ("max_side = 512", "'max_side'", "'max-side'"),
        ('modles = ["landscape"]', "'modles'", "'models'"),
        ("colour = 3", "'colour'", "Known are: models, "),
        ("parent-pid = 3", "'parent-pid'", "Known are"),
        ('max-side = "512"', "'max-side'", "a whole number"),
        ("max-side = true", "'max-side'", "a whole number"),
        ('models = "landscape"', "'models'", "a list"),
        ("models = [3]", "'models[0]'", "a text"),
        ('log-format = "xml"', "'log-format'", "'text' or 'json'"),
        ("[threads]\nn = 3", "'threads'", "a whole number"),
        ("[users.anna]\njob = 3", "'users.anna.job'", "'jobs'"),
        ("[each-user]\njobs = 1.5", "'each-user.jobs'", "a whole number"),
        ("max-side = ", "not TOML", "--default"),
        ("a = " + "[" * 5000, "not TOML", "--default"),
        ("\N{REPLACEMENT CHARACTER}", "not TOML", "--default"),
    ],
)
def test_a_mistake_is_told_by_its_key_and_its_file(tmp_path, text, named, fix):
    file = tmp_path / "server.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadOptionError) as told:
        read_config(file)
    assert named in told.value.message and str(file) in told.value.message and fix in told.value.fix


def test_a_value_out_of_range_is_refused_as_on_the_command_line(tmp_path):
    (tmp_path / "server.toml").write_text("max-side = 3\n")
    asked = told("--config", str(tmp_path / "server.toml"))
    assert asked.returncode == 2 and "--max-side is 3." in asked.stderr and "Traceback" not in asked.stderr


def test_a_file_that_is_not_there_is_said(tmp_path):
    asked = told("--config", str(tmp_path / "none.toml"))
    assert asked.returncode == 2 and "none.toml' cannot be read" in asked.stderr


def test_every_option_can_be_written_and_read_again(tmp_path):
    config = ServerConfig(
        models=('a "quoted" one', "päth/\N{SNOWMAN}"),
        bind="tcp://127.0.0.1:5570",
        metrics_port=9100,
        threads=3,
        each_user=UserLimits(jobs=3),
        users={"anna": UserLimits(megabytes=9)},
    )
    file = tmp_path / "server.toml"
    file.write_text(write_config(config, commented_out=False), encoding="utf-8")
    assert read_config(file) == config
    assert replace(parse(["--config", str(file)]), config=None) == config


def test_config_prints_what_a_server_would_be_told(file):
    file.write_text("max-side = 512\n")
    shown = told("config", "--threads", "3")
    assert shown.returncode == 0 and str(file) in shown.stderr
    table = tomllib.loads(shown.stdout)
    assert table["max-side"] == 512 and table["threads"] == 3 and table["models"] == ["landscape"]


def test_the_file_to_begin_with_explains_every_key_and_sets_none(tmp_path):
    text = told("config", "--default").stdout
    assert tomllib.loads(text) == {}
    keys = {entry.name.replace("_", "-") for entry in fields(ServerConfig)}
    for key in keys - {name.replace("_", "-") for name in ONLY_ON_THE_COMMAND_LINE}:
        assert re.search(rf"^# \w.*\n# {key} =", text, re.MULTILINE), key
    file = tmp_path / "server.toml"
    file.write_text(re.sub(r"^# (?=[a-z-]+ = )", "", text, flags=re.MULTILINE))
    assert read_config(file) == ServerConfig()


def test_the_example_of_the_docs_is_a_configuration(tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "server.md").read_text(), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        read_config(file).check()


def test_a_server_runs_by_its_file(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('models = ["coco_stuff"]\nlog-format = "json"\nmetrics-port = 0\n')
    with RunningServer(tmp_path, "--config", str(file)) as server:
        lines = [json.loads(line)["message"] for line in server.console.splitlines()]
        assert any(str(file) in line for line in lines) and any("coco_stuff" in line for line in lines)
        assert Path(server.file).exists()
