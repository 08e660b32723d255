# SPDX-License-Identifier: Apache-2.0
"""A model's name means the same in every command that takes a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from spade_core.cli import main
from tests.support.stripes_set import write_set

COMMANDS = (
    "generate {labels} -o {out}.png --model {model}",
    "evaluate --model {model} --data {data} -o {out}",
    "study {model} {data}/images --data {data} -o {out}.html",
    "train --from {model} --data {data} -o {out}",
    "checkpoint info {model}",
    "checkpoint export {model} -o {out}",
    "checkpoint export-onnx {model} -o {out}.onnx",
    "checkpoint export-hub {model} -o {out}",
    "checkpoint add-styles {model} --data {data} -o {out}.safetensors",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("names") / "data")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.partition(" {")[0])
def test_a_name_of_no_model_is_refused_with_the_names_of_those_there_are(
    command: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    labels = data / "labels" / "p00.png"
    words = command.format(model="landscap", data=data, labels=labels, out=tmp_path / "out").split()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "There is no embedded model 'landscap'" in said and "landscape; or name a .safetensors" in said
    assert not list(tmp_path.iterdir())


def test_the_name_of_the_model_that_comes_along_is_enough(capsys: pytest.CaptureFixture[str]):
    assert main(["checkpoint", "info", "landscape"]) == 0
    assert "landscape" in capsys.readouterr().out
