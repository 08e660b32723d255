# SPDX-License-Identifier: Apache-2.0
"""Instance maps, and networks of one size, through the Synthesizer: on real, small, untrained networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint
from spade_core.contract.errors import BadShapeError
from spade_core.contract.labels import LabelClass, LabelSet
from spade_core.model.label_channels import LabelChannels
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.synthesis.batches import Canvas
from spade_core.synthesis.synthesizer import Synthesizer

SET = LabelSet("few", 1, tuple(LabelClass(id, f"class {id}", "#000000") for id in (0, 2, 5)), ignore_id=255)
WITH_EDGES = GeneratorConfig(4, instance_edges=True, base_width=2, spade_hidden=4)
FIXED = replace(WITH_EDGES, start="style", style_size=3, start_grid=(1, 2))


def served(config: GeneratorConfig, channels: LabelChannels | None = None) -> Synthesizer:
    torch.manual_seed(5)
    weights = Generator(config).state_dict()
    checkpoint = Checkpoint(config, weights, SET, native_size=64, channels=channels)
    return Synthesizer(checkpoint, "small", "", torch.device("cpu"))


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((64, 96), np.uint8)
    labels[:, 40:], labels[50:] = 5, 255
    return labels


@pytest.fixture
def objects(labels: np.ndarray) -> np.ndarray:
    objects = labels.astype(np.int32)
    objects[10:30, 10:30] = 70_000
    return objects


def test_borders_between_objects_of_one_class_are_seen(labels, objects):
    model = served(WITH_EDGES)
    assert not np.array_equal(model.render_float(labels, instance_map=objects), model.render_float(labels))


def test_without_an_instance_map_the_borders_of_the_labels_count(labels):
    model = served(WITH_EDGES)
    assert np.array_equal(model.render_float(labels), model.render_float(labels, instance_map=labels))


def test_pictures_of_one_batch_have_each_their_own_objects(labels, objects):
    model = served(WITH_EDGES)
    canvases = [Canvas(labels, instance_map=each) for each in (objects, None, labels, objects + 1)]
    together = model.render_batch(canvases)
    alone = [model.render(labels, instance_map=canvas.instance_map) for canvas in canvases]
    assert all(np.abs(one.astype(int) - other).max() <= 1 for one, other in zip(together, alone, strict=True))
    assert not np.array_equal(alone[0], alone[1])


def test_a_network_that_looks_at_no_instances_paints_the_same_with_and_without(labels, objects):
    model = served(replace(WITH_EDGES, instance_edges=False))
    assert np.array_equal(model.render_float(labels, instance_map=objects), model.render_float(labels))


@pytest.mark.parametrize("wrong", [np.zeros((64, 95), np.int32), np.zeros((64, 96), np.float32)])
def test_an_instance_map_of_another_size_or_kind_is_refused(labels, wrong):
    with pytest.raises(BadShapeError):
        served(WITH_EDGES).render_float(labels, instance_map=wrong)


def test_a_checkpoint_may_say_which_channel_an_id_lights(labels):
    channels = LabelChannels(4, ((0, 3), (2, 1), (5, 0), (255, 3)))
    model = served(WITH_EDGES, channels)
    direct = torch.from_numpy(np.where(labels == 5, 0, 3))[None]
    with torch.inference_mode():
        semantic = one_hot(direct, 4, torch.from_numpy(labels.astype(np.int64))[None])
        expected = model._generator(semantic)[0].permute(1, 2, 0).numpy()
    assert np.allclose(model.render_float(labels), expected, atol=1e-5)


def test_a_network_of_one_size_is_resized_and_gives_its_own_size_as_it_is(labels):
    model, code = served(FIXED), np.ones(3, np.float32)
    own = model.render_float(labels[:32, :64], style=code)
    direct = torch.from_numpy(LabelChannels.of(SET).indices(labels[:32, :64]))[None]
    with torch.inference_mode():
        semantic = one_hot(direct, 4, torch.from_numpy(labels[:32, :64].astype(np.int64))[None])
        expected = model._generator(semantic, torch.ones(1, 3))[0].permute(1, 2, 0).numpy()
    assert own.shape == (32, 64, 3) and np.allclose(own, expected, atol=1e-5)
    assert model.render_float(labels, style=code).shape == (64, 96, 3)
    assert model.render_float(np.tile(labels, (3, 3)), style=code).shape == (192, 288, 3)


def test_a_network_of_one_size_picks_from_a_map_that_is_a_little_larger_as_the_published_one_does(labels):
    model, code = served(FIXED), np.ones(3, np.float32)
    direct = torch.from_numpy(LabelChannels.of(SET).indices(labels[:40]))[None]
    with torch.inference_mode():
        semantic = one_hot(direct, 4, torch.from_numpy(labels[:40].astype(np.int64))[None])
        image = model._generator(semantic, torch.ones(1, 3))
        expected = torch.nn.functional.interpolate(image, (40, 96), mode="bilinear", align_corners=False)
    ours = model.render_float(labels[:40], style=code)
    assert np.allclose(ours, expected[0].permute(1, 2, 0).numpy(), atol=1e-5)


def test_a_network_of_one_size_sees_every_border_of_a_larger_map():
    model, code = served(FIXED), np.ones(3, np.float32)
    small = np.zeros((32, 64), np.uint8)
    small[:, 20:] = 5
    large = small.repeat(8, 0).repeat(8, 1)
    painted = torch.from_numpy(model.render_float(small, style=code)).permute(2, 0, 1)[None]
    scaled = torch.nn.functional.interpolate(painted, (256, 512), mode="bilinear", align_corners=False)
    assert np.allclose(model.render_float(large, style=code), scaled[0].permute(1, 2, 0).numpy(), atol=1e-4)
