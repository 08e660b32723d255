# SPDX-License-Identifier: Apache-2.0
"""Training pictures: cut where the rule says, in an order that depends on the seed and the batch number alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.contract.errors import BadImageError, BadLabelError, BadShapeError, OutOfMemoryError
from spade_core.contract.labels import load_label_set
from spade_core.data.crops import CropSampler
from spade_core.data.grey_box.augment import GreyBox
from spade_core.data.layouts.layouts import find_pairs
from spade_core.data.loader import Loader
from spade_core.data.placement import CropRule, Placement, Preprocess
from spade_core.model.label_channels import LabelChannels
from tests.support.small_data import save, stripes, write_pair

LANDSCAPE = load_label_set("landscape")
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    """Seven pairs of four shapes."""
    for index in range(7):
        shape = 48 + 48 * (index % 2), 80 - 16 * (index % 3)
        write_pair(tmp_path, f"p{index}", stripes(*shape, ids=(0, index % 6, 6)))
        save(tmp_path / "instances" / f"p{index}.png", stripes(*shape, ids=(index, 8)))
    return tmp_path


def sampler(folder, rule=None, batch=4, **options):
    return CropSampler(find_pairs(folder, None), LANDSCAPE, rule or CropRule(32), batch, 3, **options)


def same(one, other):
    return torch.equal(one.rgb, other.rgb) and torch.equal(one.channels, other.channels)


@pytest.mark.parametrize(
    ("mode", "photo", "scaled", "size"),
    [
        ("resize_and_crop", (640, 480), (286, 286), (256, 256)),
        ("crop", (640, 480), (640, 480), (256, 256)),
        ("crop", (640, 128), (1280, 256), (256, 256)),
        ("scale_width", (640, 480), (288, 224), (288, 224)),
        ("scale_width_and_crop", (480, 640), (286, 381), (256, 256)),
        ("scale_width_and_crop", (640, 480), (341, 256), (256, 256)),
        ("scale_shortside", (640, 480), (384, 288), (384, 288)),
        ("scale_shortside_and_crop", (640, 480), (381, 286), (256, 256)),
        ("scale_shortside_and_crop", (480, 640), (286, 381), (256, 256)),
        ("fixed", (640, 480), (256, 128), (256, 128)),
        ("none", (650, 470), (640, 480), (640, 480)),
    ],
)
def test_the_references_modes_scale_and_cut_as_they_say(mode, photo, scaled, size):
    rule = Preprocess(mode, 286, 256, aspect=2.0)
    placed = [rule.place(photo, np.random.default_rng(seed)) for seed in range(40)]
    assert {place.scaled for place in placed} == {scaled} and {place.size for place in placed} == {size}
    assert all(
        0 <= place.left <= scaled[0] - size[0] and 0 <= place.top <= scaled[1] - size[1] for place in placed
    )
    assert {place.flip for place in placed} == {True, False}
    if scaled[0] > size[0]:  # the window goes wherever the scaled picture is: the reference's did not
        assert len({place.left for place in placed}) > 10
    middle = rule.centred(photo)
    assert middle.left == (scaled[0] - size[0]) // 2 and not middle.flip
    assert not any(replace(rule, flip=False).place(photo, np.random.default_rng(s)).flip for s in range(9))


def test_cutting_a_window_equals_scaling_all_and_then_cutting():
    random = np.random.default_rng(0)
    photo = Image.fromarray(random.integers(0, 256, (90, 130, 3)).astype(np.uint8)).resize((260, 180))
    labels = Image.fromarray(random.integers(0, 17, (180, 260)).astype(np.uint8))
    placement = Placement((200, 143), 31, 17, (96, 64), flip=True)
    window = (31, 17, 31 + 96, 17 + 64)
    whole = np.asarray(photo.resize((200, 143), Image.Resampling.BICUBIC).crop(window))[:, ::-1]
    assert np.abs(placement.photo(photo).astype(int) - whole).max() <= 1
    whole = np.asarray(labels.resize((200, 143), Image.Resampling.NEAREST).crop(window))[:, ::-1]
    np.testing.assert_array_equal(placement.labels(labels), whole)


@pytest.mark.parametrize("rule", [CropRule(32), Preprocess("resize_and_crop", 40, 32)])
def test_photo_labels_and_instances_are_cut_from_the_same_place(folder, rule):
    made = sampler(folder, rule, with_instances=True)[2]
    assert made.rgb.shape == (4, 32, 32, 3) and made.channels.shape == made.instances.shape == (4, 32, 32)
    # the photo is ten times the id, but for the soft edges of bicubic scaling
    assert ((made.rgb[..., 0] / 10.0 - made.channels).abs() < 0.3).float().mean() > 0.85
    lowest = made.channels == 6
    assert (made.instances[lowest] == 8).float().mean() > 0.9


def test_ranks_make_the_parts_of_one_batch(folder):
    whole = sampler(folder, CropRule(32))
    for index in (0, 1, 5):
        parts = [sampler(folder, CropRule(32), rank=rank, ranks=2)[index] for rank in (0, 1)]
        joined = torch.cat([part.rgb for part in parts])
        assert torch.equal(joined, whole[index].rgb)
    with pytest.raises(BadShapeError, match="shared"):
        sampler(folder, rank=0, ranks=3)


def test_what_is_kept_in_memory_changes_no_square(folder):
    without, little = sampler(folder, cache_bytes=0), sampler(folder, cache_bytes=30_000)
    kept = sampler(folder)
    for index in (0, 3, 3, 1):
        assert same(without[index], kept[index]) and same(little[index], kept[index])
    assert without.cached == 0 < little.cached < kept.cached == 7


def test_a_batch_larger_than_the_data_shows_pairs_again_cut_elsewhere(folder):
    for name in ("p3", "p4", "p5", "p6"):
        (folder / "labels" / f"{name}.png").unlink()
    made = sampler(folder, batch=9)[0]
    assert made.rgb.shape[0] == 9
    assert len({picture.numpy().tobytes() for picture in made.channels}) > 3


def test_mixed_sizes_without_a_cut_are_refused_and_fit_a_batch_of_one(folder):
    uncut = Preprocess("none")
    with pytest.raises(BadShapeError) as caught:
        sampler(folder, uncut)[0]
    assert "differ in size" in caught.value.message and "batch of 1" in caught.value.fix
    assert sampler(folder, uncut, batch=1)[0].rgb.shape[0] == 1


def test_missing_instance_maps_are_said_before_training(folder):
    (folder / "instances" / "p3.png").unlink()
    with pytest.raises(BadImageError, match="p3"):
        sampler(folder, with_instances=True)
    with pytest.raises(BadShapeError, match="Blocked-out"):
        sampler(folder, with_instances=True, grey_box=GreyBox())


def test_blocking_out_changes_labels_alone_and_the_share_that_was_asked_for(folder):
    plain = sampler(folder, CropRule(32), batch=7)
    blocked = sampler(folder, CropRule(32), batch=7, grey_box=GreyBox(share=0.5))
    changed = []
    for index in range(12):
        one, other = plain[index], blocked[index]
        assert torch.equal(one.rgb, other.rgb)
        assert torch.equal(other.shown, one.channels), "what the photo shows is told beside it"
        assert same(other, blocked[index]), "the same again for the same number"
        changed += (one.channels != other.channels).flatten(1).any(dim=1).tolist()
    assert 0 < np.mean(changed) < 0.7
    none = sampler(folder, CropRule(32), batch=7, grey_box=GreyBox(share=0.0))
    assert same(none[1], plain[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_gives_every_batch_in_order_whoever_makes_it(folder, workers):
    here = sampler(folder, CropRule(32))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with Loader(sampler(folder, CropRule(32)), 4, CPU, workers) as loader:
        for number, batch in zip(range(4, 11), loader):  # noqa: B905 (the loader has no end)
            assert batch.index == number
            assert torch.equal(batch.rgb, here[number].rgb)
            assert torch.equal(batch.channels, here[number].channels)
        assert loader.images_per_second > 0
    assert torch.equal(before, torch.get_rng_state()), "training draws from that generator"


@pytest.mark.parametrize("workers", [0, 1])
def test_the_loader_stops_at_wrong_ids_with_the_files_name(folder, workers):
    save(folder / "labels" / "p5.png", np.full((96, 48), 99, np.uint8))
    with Loader(sampler(folder), 0, CPU, workers) as loader, pytest.raises(BadLabelError) as caught:
        for _ in zip(range(9), loader):  # noqa: B905
            pass
    assert "p5.png" in caught.value.message and "99" in caught.value.message and caught.value.fix
    assert "Traceback" not in str(caught.value)


class FullMemory(CropSampler):
    """Finds none for its third batch."""

    def __getitem__(self, index):
        return super().__getitem__(index) if index < 2 else bytearray(1 << 60)


@pytest.mark.parametrize("workers", [0, 1])
def test_too_little_memory_for_a_batch_is_said_whoever_makes_it(folder, workers):
    full = FullMemory(find_pairs(folder, None), LANDSCAPE, CropRule(32), 4, 3)
    with Loader(full, 0, CPU, workers) as loader, pytest.raises(OutOfMemoryError) as caught:
        for made, _ in enumerate(loader):
            assert made < 2
    assert "--batch" in caught.value.fix and "Traceback" not in str(caught.value)


def test_channels_are_those_of_the_label_set(folder):
    made = sampler(folder, Preprocess("fixed", 48, 48), batch=7)[0]
    known = set(np.unique(LabelChannels.of(LANDSCAPE).indices(np.array([0, 1, 2, 3, 4, 5, 6, 255]))))
    assert set(made.channels.unique().tolist()) <= known and made.channels.dtype == torch.int64
