# SPDX-License-Identifier: Apache-2.0
"""Recipes that bear a published name train the published network on the paper's data sets, without being told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.names import models_of, states_of
from spade_core.commands.model import counted
from spade_core.contract.errors import BadImageError
from spade_core.model.decoder import Decoder
from spade_core.model.label_channels import LabelChannels
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.__main__ import parsed
from spade_core.training.run import Run
from spade_core.training.summary import summary
from tests.support import published_data
from tests.support.stripes_set import write_set

NARROW = (
    "--size 64 --batch 1 --perceptual taps --device cpu --threads 1 --workers 0 --images 2 --save-every 2"
)
SMALL: dict[str, str] = dict.fromkeys(("coco_stuff", "ade20k"), f"{NARROW} --load-size 72")
SMALL["cityscapes"] = NARROW.replace("64", "128")
WIDTHS = "--generator.base-width 2 --generator.spade-hidden 4 --discriminator.base-width 2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("published")
    return {
        "coco_stuff": published_data.coco_stuff(root / "coco"),
        "ade20k": published_data.ade20k(root / "ade20k"),
        "cityscapes": published_data.cityscapes(root / "cityscapes"),
    }


def opened(recipe: str, data: Path, output: Path, options: str, widths: str = WIDTHS) -> Run:
    return Run.open(
        parsed([recipe, "--data", str(data), "-o", str(output), *options.split(), *widths.split()])
    )


@pytest.mark.parametrize(
    "name, channels, edges, upsampling, grid",
    [("coco_stuff", 183, True, "normal", (2, 2)), ("ade20k", 151, False, "normal", (2, 2)),
     ("cityscapes", 35, True, "more", (1, 2))],
)  # fmt: skip
def test_the_papers_network_has_its_channels_edges_upsampling_and_start_grid(
    data, tmp_path, name, channels, edges, upsampling, grid
):
    run = opened("paper", data[name], tmp_path / "run", SMALL[name])
    generator = run.trainer.networks.generator
    assert isinstance(generator, Decoder)
    config = generator.config
    assert (config.label_channels, config.instance_edges, config.upsampling) == (channels, edges, upsampling)
    assert config.input_channels == channels + edges
    styled = opened(
        "paper-style", data[name], tmp_path / "styled", SMALL[name], WIDTHS + " --encoder.base-width 2"
    )
    assert styled.trainer.networks.generator.config.start_grid == grid


def test_what_the_data_set_decides_is_said_before_with_the_options_that_say_otherwise(data, tmp_path):
    said = "\n".join(summary(opened("paper", data["cityscapes"], tmp_path / "run", SMALL["cityscapes"])))
    assert "35 label channels (published) and instance edges, more upsampling; 128 x 64" in said
    chosen = "--channels own, --no-instances, --generator.upsampling, --mode, --size, --load-size, --aspect"
    assert f"As published for 'cityscapes'; otherwise: {chosen}." in said
    said = "\n".join(
        summary(opened("crn", data["ade20k"], tmp_path / "crn", SMALL["ade20k"], "--generator.max-width 8"))
    )
    assert "--channels own" in said and "--no-instances" not in said and "upsampling" not in said
    plain = summary(opened("paper", write_set(tmp_path / "flags"), tmp_path / "plain", SMALL["ade20k"]))
    assert "4 label channels (own)" in "\n".join(plain) and "cut as the published code cuts" in plain[-1]
    own = summary(opened("frozen", data["ade20k"], tmp_path / "own", NARROW, "--generator.base-width 4"))
    assert "otherwise" not in "\n".join(own)


@pytest.mark.parametrize("recipe", ["pix2pixhd++-concat", "concat", "clade", "oasis", "crn", "pix2pixhd"])
def test_every_published_recipe_has_the_channels_that_model_list_counts(data, tmp_path, recipe):
    narrow = "--generator.base-width 2"
    if recipe == "crn":
        narrow = "--generator.max-width 8"
    run = opened(recipe, data["cityscapes"], tmp_path / "run", SMALL["cityscapes"], narrow)
    assert run.trainer.networks.generator.config.input_channels == 36
    assert {"pix2pixhd", "concat", "paper", "crn"} <= {row.name for row in counted()}


def test_our_own_recipe_keeps_its_channels(data, tmp_path):
    run = opened("frozen", data["ade20k"], tmp_path / "run", NARROW, "--generator.base-width 4")
    config = run.trainer.networks.generator.config
    assert (config.label_channels, config.instance_edges) == (152, False)


def test_what_the_data_set_shows_reaches_the_published_channels(data, tmp_path):
    """ADE20K by raw ids, "other" and what nobody cares for in channel 0; Cityscapes by label ids, objects apart."""
    crops = opened("paper", data["ade20k"], tmp_path / "ade", SMALL["ade20k"]).crops
    seen = torch.stack([crops[index].channels for index in range(12)])
    assert {0, 3, 17, 10, 150} <= set(seen.unique().tolist()) <= {0, 3, 8, 17, 10, 150}
    city = opened("paper", data["cityscapes"], tmp_path / "city", SMALL["cityscapes"]).crops[0]
    assert set(city.channels.unique().tolist()) == {7, 11, 21, 23, 26}
    assert city.instances is not None and {26000, 26001} <= set(city.instances.unique().tolist())


@pytest.mark.parametrize("name", ["coco_stuff", "ade20k", "cityscapes"])
def test_a_model_keeps_its_channel_table_and_paints_by_it(data, tmp_path, name):
    run = opened("paper", data[name], tmp_path, SMALL[name])
    run.train(lambda *_: None)
    held = load_checkpoint(models_of(tmp_path)[-1])
    assert held.label_channels == run.crops.channels and held.label_channels.serve(held.label_set)
    painted = Synthesizer.load(str(models_of(tmp_path)[-1]), "cpu")
    pairs = run.crops.pairs
    labels = np.full((64, 128), 255 if name != "cityscapes" else 0, np.uint8)
    assert painted.render(labels).shape == (64, 128, 3) and len(pairs) == 6


def test_coco_without_instance_maps_is_refused_with_the_tool_and_the_option(tmp_path):
    bare = published_data.coco_stuff(tmp_path / "coco", instances=False)
    with pytest.raises(BadImageError) as refused:
        opened("paper", bare, tmp_path / "run", SMALL["coco_stuff"])
    assert "spade dataset instances" in refused.value.fix and "--no-instances" in refused.value.fix
    run = opened("paper", bare, tmp_path / "run", SMALL["coco_stuff"] + " --no-instances")
    config = run.trainer.networks.generator.config
    assert (config.label_channels, config.instance_edges) == (183, False)


def test_a_run_of_an_older_version_goes_on_with_the_channels_that_it_has(data, tmp_path):
    """States of before say nothing of channels: they have one a class, and no edges."""
    run = opened("paper", data["ade20k"], tmp_path, SMALL["ade20k"] + " --channels own")
    run.train(lambda *_: None)
    newest = states_of(tmp_path)[-1]
    state = torch.load(newest, weights_only=True)
    del state["channels"]
    torch.save(state, newest)
    again = opened("paper", data["ade20k"], tmp_path, SMALL["ade20k"].replace("--images 2", "--images 4"))
    assert again.trainer.images_seen == 2
    assert again.trainer.networks.generator.config.label_channels == 152
    again.train(lambda *_: None)
    held = load_checkpoint(models_of(tmp_path)[-1])
    assert held.label_channels == LabelChannels.of(held.label_set)


def test_a_model_of_an_older_version_lends_its_weights_by_class(data, tmp_path):
    run = opened("paper", data["ade20k"], tmp_path / "old", SMALL["ade20k"] + " --channels own")
    run.train(lambda *_: None)
    begun = opened(
        "paper", data["ade20k"], tmp_path / "new", f"{SMALL['ade20k']} --from {models_of(tmp_path / 'old')[-1]}"
    )  # fmt: skip
    old = load_checkpoint(models_of(tmp_path / "old")[-1]).generator_weights["fc.weight"]
    generator = begun.trainer.networks.generator
    now = generator.state_dict()["fc.weight"]
    assert (old.shape[1], now.shape[1]) == (152, 151)
    assert torch.equal(now[:, :151], old[:, :151])


def test_seeds_of_oasis_differ_from_the_first_hundred_photos_on(data, tmp_path):
    options = SMALL["ade20k"].replace("--images 2 --save-every 2", "--images 100 --save-every 100")
    narrow = "--generator.base-width 8 --generator.spade-hidden 8 --discriminator.base-width 4"
    run = opened("oasis", data["ade20k"], tmp_path, options, narrow)
    run.train(lambda *_: None)
    painted = Synthesizer.load(str(models_of(tmp_path)[-1]), "cpu")
    labels = np.full((64, 64), 3, np.uint8)
    first, other = (painted.render_float(labels, seed=seed) for seed in (1, 2))
    assert np.abs(first - other).mean() > 4 / 127.5  # of 255; from strength 0 on it was 0.35 after 280 photos
