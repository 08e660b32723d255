# SPDX-License-Identifier: Apache-2.0
"""Every option that the docs name of generate, train, evaluate and dataset is run once, at small sizes.

Which options those are is read from the docs: one that is written about and stands in no run below fails a test.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.cli import main
from spade_core.data.placement import Mode
from spade_core.features.inception import InceptionV3
from spade_core.model.config import Upsampling
from spade_core.model.losses import GanMode
from tests.cli.test_dataset_render import YARD
from tests.cli.test_docs import PAGES
from tests.data.test_coco_instances import annotations
from tests.features.inception_weights import named_weights
from tests.model.test_losses import vgg_weights
from tests.server.running import RunningServer
from tests.support import exports, published_data
from tests.support.stripes_set import write_set
from tests.support.tiny import seeing_objects, tiny_model


@dataclass(frozen=True)
class Run:
    """A command line behind its command; {names} are the things it is about."""

    command: str
    words: str
    makes: str = ""
    """A file that is there afterwards; "" where it prints."""
    slow: bool = False


SMALL = (
    "--images 4 --batch 2 --size 64 --threads 1 --device cpu --no-bf16 --generator.base-width 4 "
    "--generator.max-width 16 --generator.spade-hidden 8 --encoder.base-width 4"
)
PUBLISHED = (
    "--images 2 --batch 1 --size 64 --threads 1 --device cpu --no-bf16 --workers 0 --generator.base-width 2"
)

RUNS = (
    Run(
        "train",
        f"--data {{data}} --output {{out}} --layout folder --label-set {{data}}/label_set.toml --instances "
        f"--terms mine --seed 3 --save-every 2 --workers 1 --skip-damaged --tracker none --max-scale 1.5 "
        f"--no-augment --accumulate 2 --recompute --gan-weight 0.4 --class-weight 0.9 --color-weight 10 "
        f"--kl-weight 0.01 --table-rate 10 --perceptual taps "
        f"--perceptual-start 5 --perceptual-end 2 --warmup 0 --ramp 2 --decay-from 0.5 --generator-lr 1e-4 "
        f"--discriminator-lr 1e-4 --beta2 0.9 --grey-box.share 1 {SMALL}",
        "{out}/model_00000004.safetensors",
    ),
    Run("train", f"--data {{data}} -o {{out}} --from {{model}} {SMALL}", "{out}/model_00000004.safetensors"),
    Run(
        "train",
        f"paper --data {{city}} -o {{out}} --layout cityscapes --no-instances --channels published --mode fixed "
        f"--aspect 2 --load-size 64 --gan-mode ls --feature-weight 1 --discriminator.scales 1 --discriminator.layers 3 "
        f"--discriminator.norm batch --discriminator.no-spectral --generator.no-spectral --generator.norm instance "
        f"--generator.upsampling more --perceptual vgg --vgg-weights {{vgg}} {PUBLISHED} --size 256",
        "{out}/model_00000002.safetensors",
        slow=True,
    ),
    Run(
        "evaluate",
        "--model {model} --data {data} --output {out} --layout folder --split val --size 64 --aspect 1 --fit squeeze "
        "--upscale off --styles photos --grey-box --limit 10 --reference 12 --seed 3 --device cpu",
        "{out}/report.html",
    ),
    Run(
        "evaluate",
        "--model {city_model} --data {city} -o {out} --protocol cityscapes --size 64 --aspect 2 --device cpu "
        "--inception {inception}",
        "{out}/report.html",
        slow=True,
    ),
    Run(
        "evaluate",
        "--model {model} --data {data} -o {out} --size 64 --segmenter {segmenter} --device cpu",
        "{out}/report.html",
        slow=True,
    ),
    Run(
        "dataset check",
        "{data} --layout folder --label-set {data}/label_set.toml --output {out}/sheet.jpg --batch 2 --size 64 --json "
        "--strict",
        "{out}/sheet.jpg",
    ),
    Run(
        "dataset convert",
        "{coloured} --output {out} --label-set {data}/label_set.toml --palette {palette} --tolerance 12 "
        "--unknown nearby",
        "{out}/p.png",
    ),
    Run("dataset convert", "{export} -o {out} --format labelme --photos {export}", "{out}/label_set.toml"),
    Run(
        "dataset label",
        "{data}/images -o {out} --segmenter {segmenter} --label-set {data}/label_set.toml --sure 0 --smallest 0.001 "
        "--at-least 0 --side 64 --device cpu",
        "{out}/label_set.toml",
        slow=True,
    ),
    Run("dataset instances", "{annotations} --data {coco} --split train"),
    Run(
        "dataset render",
        "{blend} --output {out} --count 2 --size 32 24 --samples 1 --seed 3 --cameras placed --lights kept --instances "
        "--spread 5 --val-every 2",
        "{out}/label_set.toml",
    ),
    Run(
        "generate",
        "{labels} --output {out}/o.png --model {landscape} --seed 3 --style {photo} --style-mix {photo} --mix 0.3 "
        "--strength 0.5 --label-set landscape --upscale off --detail 2 --natural-edges 0.3",
        "{out}/o.png",
    ),
    Run("generate", "{labels} -o {out}/o.png --model {landscape} --wrap horizontal --preview", "{out}/o.png"),
    Run(
        "generate",
        "{labels} -o {out}/o.png --model {landscape} --style-for sky={photo} 1={photo} --style-regions {labels} "
        "--style-right {photo} --softness 0.05",
        "{out}/o.png",
    ),
    Run("generate", "{street} -o {out}/o.png --model {edges} --instances {street}", "{out}/o.png"),
    Run("generate", "{labels} -o {out}/o.png --server {server}", "{out}/o.png"),
)

ELSEWHERE = {
    ("dataset render", "--blender"),  # a program, which not every machine has: tests/window
    ("dataset render", "--no-instances"),  # the default, and documented of train
}


def listed(command: str, capsys: pytest.CaptureFixture) -> set[str]:
    """The options that a command has, every name of each."""
    with pytest.raises(SystemExit):
        main([*command.split(), "--help-all"])
    rows = re.findall(r"^[│ ] (?:-\w [\w.|]*, )?(--[a-z].*)", capsys.readouterr().out, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"(?:^|, )(--[a-z][\w.-]*)", row)}


def named_in(text: str) -> set[str]:
    text = re.sub(r"(?<=\s)-o(?=\s)", "--output", text)
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)?", text))


@pytest.mark.parametrize("command", sorted({run.command for run in RUNS}))
def test_what_the_docs_name_is_run(command: str, capsys: pytest.CaptureFixture):
    documented = set().union(*(named_in(page.read_text(encoding="utf-8")) for page in PAGES))
    has = listed(command, capsys)
    if command == "train":
        has |= listed("train paper", capsys)  # another discriminator
    run = set().union(*(named_in(each.words) for each in RUNS if each.command == command))
    assert run <= has, "a run names an option that is none"
    lacking = {option for option in documented & has - run if (command, option) not in ELSEWHERE}
    assert not lacking - {"--help", "--help-all"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("options")


@pytest.fixture(scope="module")
def things(place: Path) -> Iterator[Callable[[str], str]]:
    """What runs are about, by its {name}; made when it is first asked for."""
    made: dict[str, Path] = {}
    servers: list[RunningServer] = []

    def make(name: str) -> Path:
        file = place / name
        if name == "data":
            return write_set(file, 48)
        if name == "city":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(published_data, "PAIRS", {"train": 12, "val": 12})
                return published_data.cityscapes(file)
        if name == "coco":
            return published_data.coco_stuff(file, instances=False)
        if name == "export":
            return exports.labelme(file)
        if name == "annotations":
            return annotations(thing("coco"))
        if name == "model":
            words = f"train --data {thing('data')} -o {file} --grey-box.share 0 --workers 0 {SMALL}"
            assert main(shlex.split(words)) == 0
            return file
        if name in ("landscape", "city_model", "edges"):
            file.mkdir()
            if name == "edges":
                return seeing_objects(file)
            return tiny_model(file, {"city_model": "cityscapes"}.get(name, name))
        if name == "vgg":
            torch.save(vgg_weights(), file)
        elif name == "inception":
            with torch.device("meta"):
                shapes = {key: value.shape for key, value in InceptionV3().state_dict().items()}
            torch.save(named_weights(shapes), file)
        elif name == "segmenter":
            file = file.with_suffix(".safetensors")
            small = "--crops 16 --passes 1 --size 64 --batch 8 --width 16 --device cpu"
            assert main(shlex.split(f"train-segmenter --data {thing('data')} -o {file} {small}")) == 0
        elif name == "coloured":
            file.mkdir()
            Image.new("RGB", (32, 32), (80, 128, 220)).save(file / "p.png")
        elif name == "palette":
            file = file.with_suffix(".csv")
            file.write_text("color,class\n#5080E0,heaven\n#308030,meadow\n")
        elif name in ("labels", "photo", "street"):
            file = file.with_suffix(".png")
            ids = (7, 11, 23) if name == "street" else (0, 3, 6)
            Image.fromarray(np.repeat(np.array(ids, np.uint8), 16)[:, None].repeat(64, 1)).save(file)
        elif name == "blend":
            file = file.with_suffix(".blend")
            from build_steps.staging import stage

            words = [sys.executable, "-c", YARD, str(stage().parent), str(file)]
            subprocess.run(words, check=True, capture_output=True, timeout=120)
        elif name == "server":
            servers.append(RunningServer(file).__enter__())
            return servers[0].file
        return file

    def thing(name: str) -> Path:
        if name not in made:
            made[name] = make(name)
        return made[name]

    yield thing
    for server in servers:
        server.__exit__(None, None, None)


def told(words: str, things: Callable[[str], Path], out: Path) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: str(out if name[1] == "out" else things(name[1])), words)


def marked(run: Run) -> object:
    marks = [pytest.mark.slow, pytest.mark.timeout(900)] if run.slow else []
    if run.command == "dataset render":
        marks.append(
            pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="there is no Blender here")
        )
    return pytest.param(run, marks=marks, id=f"{run.command} {' '.join(run.words.split()[:4])}")


@pytest.mark.parametrize("run", [marked(run) for run in RUNS])
def test_documented_options_run(run: Run, things, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))  # whatever `blender` this machine has
    (tmp_path / "out").mkdir()
    words = [*run.command.split(), *shlex.split(told(run.words, things, tmp_path / "out"))]
    assert main(words) == 0
    if run.makes:
        assert Path(told(run.makes, things, tmp_path / "out")).is_file()


CHOICES = {
    "mode": get_args(Mode),
    "gan-mode": get_args(GanMode),
    "generator.upsampling": get_args(Upsampling),
    "generator.norm": ("batch", "syncbatch", "instance"),
    "perceptual": ("taps", "vgg", "crn"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("option", CHOICES)
def test_every_choice_of_an_option_trains_until_there_is_a_model(option: str, things, tmp_path: Path):
    for choice in CHOICES[option]:
        out = tmp_path / choice
        fixed = "" if option == "perceptual" else "--perceptual taps"
        side = 256 if option == "generator.upsampling" else 64
        changed = f"--size {side} --load-size {side + 8} --{option} {choice} {fixed}"
        words = f"train paper --data {{data}} -o {{out}} --vgg-weights {{vgg}} {PUBLISHED} {changed}"
        assert main(shlex.split(told(words, things, out))) == 0, choice
        assert (out / "model_00000002.safetensors").is_file(), choice
