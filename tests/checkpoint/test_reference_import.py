# SPDX-License-Identifier: Apache-2.0
"""Files of the published code become checkpoints that paint the same, and become those files again, byte by byte."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint, load_checkpoint, save_checkpoint
from spade_core.checkpoint.reference.exporting import export_reference
from spade_core.checkpoint.reference.facts import PRESETS, Facts
from spade_core.checkpoint.reference.importing import ImportRequest, import_reference
from spade_core.checkpoint.reference.keys import published_name, recovered_v
from spade_core.checkpoint.reference.shapes import discriminator_config, generator_config
from spade_core.contract.errors import BadCheckpointError, BadLabelSetError, NeedsDetailError
from spade_core.model.baselines.pix2pixhd import Pix2PixHDConfig
from spade_core.model.build import AnyGeneratorConfig, build_generator
from spade_core.model.discriminators.interface import DiscriminatorInput
from spade_core.model.discriminators.patchgan import MultiscaleDiscriminator
from spade_core.model.norms import spectral_norm
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import GeneratorConfig
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.published import (
    ALL_VARIANTS,
    REFERENCE_SET,
    Recorded,
    as_saved,
    recorded,
    write_options,
    write_reference_files,
)

TOLERANCE = 1e-5


def import_recorded(folder: Path, record: Recorded) -> Checkpoint:
    write_options(write_reference_files(folder, record), record)
    return import_reference(ImportRequest(folder))


def served(checkpoint: Checkpoint) -> Synthesizer:
    return Synthesizer(checkpoint, "imported", "", torch.device("cpu"))


def painted(record: Recorded, model: Synthesizer) -> tuple[np.ndarray, np.ndarray]:
    """Ours and theirs, (N, 3, H, W); with the recorded style codes where there are some."""
    labels, objects = record.arrays["in/label"][:, 0], record.arrays["in/inst"][:, 0]
    styles = record.arrays.get("in/z", np.zeros((len(labels), 0), np.float32))
    ours = [
        model.render_float(label_map, style if model.style_size else None, instance_map=instances).transpose(
            2, 0, 1
        )
        for label_map, instances, style in zip(labels, objects, styles, strict=True)
    ]
    return np.stack(ours), record.arrays["out/G_given_z" if model.style_size else "out/G_eval"]


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max())


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Checkpoint]]:
    """A variant's published folder, and the checkpoint that it became; each is imported once."""

    @functools.cache
    def once(variant: str) -> tuple[Path, Checkpoint]:
        folder = tmp_path_factory.mktemp(variant)
        return folder, import_recorded(folder, recorded(variant))

    return once


@pytest.mark.parametrize("variant", [*ALL_VARIANTS, REFERENCE_SET])
def test_an_imported_network_paints_what_the_published_one_paints(variant: str, imported):
    assert difference(*painted(recorded(variant), served(imported(variant)[1]))) < TOLERANCE


@pytest.mark.parametrize("variant", ["vae_inst", REFERENCE_SET])
def test_an_imported_style_encoder_reads_what_the_published_one_reads(variant: str, imported):
    record, model = recorded(variant), served(imported(variant)[1])
    for photos, means in (("in/image_u8", "out/E_mu"), ("in/e256_u8", "out/E256_mu")):
        if photos in record.arrays:
            codes = [model.encode_style(photo.transpose(1, 2, 0)) for photo in record.arrays[photos]]
            assert difference(np.stack(codes), record.arrays[means]) < TOLERANCE


@torch.no_grad()
def test_the_imported_discriminator_of_the_reference_set_judges_its_photos_as_the_published_one(imported):
    record, weights = recorded(REFERENCE_SET), imported(REFERENCE_SET)[1].discriminator_weights
    label_map, objects = (record.tensor(name)[:, 0].long() for name in ("in/label", "in/inst"))
    labels = one_hot(label_map, 7, objects)
    discriminator = MultiscaleDiscriminator(discriminator_config(weights), labels.shape[1])
    discriminator.load_state_dict(weights)
    judged = discriminator.eval()(DiscriminatorInput(record.photos("in/image_u8"), labels))
    for scale, score in enumerate(judged.scores):
        assert difference(score.numpy(), record.arrays[f"out/D{scale}"]) < TOLERANCE


@pytest.mark.parametrize("variant", [*ALL_VARIANTS, REFERENCE_SET])
def test_what_was_imported_is_exported_byte_by_byte(variant: str, imported, tmp_path: Path):
    folder, checkpoint = imported(variant)
    saved = tmp_path / "model.safetensors"
    save_checkpoint(saved, checkpoint, dtype=None)
    for path in export_reference(load_checkpoint(saved), tmp_path / "ours"):
        ours = torch.load(path, weights_only=True)
        theirs = torch.load(folder / path.name, weights_only=True)
        assert list(ours) == list(theirs) and ours._metadata.keys() <= theirs._metadata.keys()
        for key, value in theirs.items():
            assert ours[key].dtype == value.dtype and ours[key].shape == value.shape
            assert ours[key].numpy().tobytes() == value.numpy().tobytes(), key
    assert {path.name for path in (tmp_path / "ours").iterdir()} == {
        "opt.txt",
        *(f"latest_net_{network}.pth" for network in recorded(variant).shapes),
    }


# --- networks that were not recorded: what the shapes say is what the network was made with ---

SMALL = GeneratorConfig(7, base_width=2, max_width=32, spade_hidden=8)
VARIANTS: dict[str, AnyGeneratorConfig] = {
    "wider": replace(SMALL, base_width=5, max_width=80),
    "most upsampling": replace(SMALL, upsampling="most", base_width=4, max_width=64),
    "more upsampling": replace(SMALL, upsampling="more"),
    "don't care but no edges": SMALL,
    "edges but no don't care": replace(SMALL, label_channels=6, instance_edges=True),
    "both": replace(SMALL, instance_edges=True),
    "neither": replace(SMALL, label_channels=6),
    "no spectral norm": replace(SMALL, spectral=False),
    "kernel 1": replace(SMALL, spade_kernel=1),
    "kernel 5": replace(SMALL, spade_kernel=5),
    "instance norm": replace(SMALL, norm="instance"),
    "batch norm": replace(SMALL, norm="batch"),
    "a style of 64 numbers": replace(SMALL, start="style", style_size=64, start_grid=(8, 8)),
    "a style on a wide grid": replace(SMALL, start="style", style_size=8, start_grid=(4, 8), upsampling="more"),
    # 256 pixels at an aspect ratio of 16:5 are 8 columns and round(2.5) = 2 rows: half to even
    "a style on a grid rounded down": replace(SMALL, start="style", style_size=8, start_grid=(2, 8)),
    "pix2pixHD": Pix2PixHDConfig(7, base_width=2, downsamplings=3, blocks=4, first_kernel=5, block_kernel=5),
    "pix2pixHD without residual blocks": Pix2PixHDConfig(7, base_width=2, downsamplings=1, blocks=0),
    "pix2pixHD with batch norm": Pix2PixHDConfig(7, base_width=2, downsamplings=2, blocks=1, norm="batch"),
}  # fmt: skip


def published_file(folder: Path, config: AnyGeneratorConfig) -> dict[str, torch.Tensor]:
    """A generator's file with torch's random weights; batch norms have counted."""
    torch.manual_seed(0)
    state = build_generator(config).state_dict()
    for key, value in state.items():
        if key.endswith("num_batches_tracked") and getattr(config, "norm", "") == "batch":
            value.fill_(17)
    published = {published_name(key): value for key, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(as_saved(published), folder / "latest_net_G.pth")
    return published


def facts_of(config: AnyGeneratorConfig) -> Facts:
    grid = getattr(config, "start_grid", None)
    return Facts(
        classes=6,
        dont_care=config.label_channels == 7,
        edges=config.instance_edges,
        upsampling=getattr(config, "upsampling", None),
        aspect_ratio=None if grid is None else {(2, 8): 3.2, (4, 8): 2.0, (8, 8): 1.0}[grid],
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_a_network_is_recognised_by_its_shapes(name: str, tmp_path: Path):
    config = VARIANTS[name]
    published = published_file(tmp_path, config)
    checkpoint = import_reference(ImportRequest(tmp_path, given=facts_of(config)))
    assert checkpoint.generator == config
    checkpoint.build_generator()
    [path] = export_reference(checkpoint, tmp_path / "again")
    again = torch.load(path, weights_only=True)
    assert list(again) == list(published)
    assert all(torch.equal(again[key], value) for key, value in published.items())


def test_the_widest_network_of_the_paper_is_not_capped():
    config = GeneratorConfig(151, base_width=80, max_width=1280, norm="instance")
    with torch.device("meta"):
        state = build_generator(config).state_dict()
    assert generator_config(state, 151, False, Facts(upsampling="normal")) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_known_data_is_recognised_by_its_channels(preset, tmp_path: Path):
    facts = PRESETS[preset]
    published_file(
        tmp_path, replace(SMALL, label_channels=facts.channels - facts.edges, instance_edges=facts.edges)
    )
    for request in (ImportRequest(tmp_path), ImportRequest(tmp_path, preset)):
        checkpoint = import_reference(request)
        assert checkpoint.provenance["preset"] == preset
        assert checkpoint.generator.upsampling == ("more" if preset == "cityscapes" else "normal")
        assert checkpoint.native_size == facts.crop_size
        model, side = served(checkpoint), 64
        ids = np.array(
            [entry.id for entry in checkpoint.label_set.classes] + [checkpoint.label_set.ignore_id]
        )
        label_map = np.resize(ids, (side, side)).astype(checkpoint.label_set.dtype)
        assert model.render_float(label_map).shape == (side, side, 3)


@pytest.mark.parametrize(
    ("classes", "dont_care", "edges", "preset"),
    [
        (182, True, True, "coco"), (182, True, False, "coco"), (182, False, True, "none"),
        (150, True, False, "ade20k"), (150, False, False, "none"), (150, False, True, "none"),
        (35, False, True, "cityscapes"), (35, False, False, "cityscapes"), (35, True, True, "none"),
        (36, False, False, "none"), (183, False, True, "none"), (300, False, False, "none"), (1, True, False, "none"),
    ],
)  # fmt: skip
def test_other_data_with_as_many_classes_or_channels_is_not_taken_for_known_data(
    classes, dont_care, edges, preset, tmp_path: Path
):
    config = replace(SMALL, label_channels=classes + dont_care, instance_edges=edges)
    published_file(tmp_path, config)
    given = Facts(classes, dont_care, edges, "normal", 64, 1.0)
    checkpoint = import_reference(ImportRequest(tmp_path, given=given))
    assert checkpoint.provenance["preset"] == preset and checkpoint.generator == config
    assert served(checkpoint).render_float(np.zeros((64, 64), checkpoint.label_set.dtype)).shape == (
        64,
        64,
        3,
    )


def test_what_is_known_of_the_channels_rules_known_data_out(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, label_channels=36))  # as many as Cityscapes has, edges included
    given = Facts(dont_care=False, edges=False, upsampling="normal")
    assert import_reference(ImportRequest(tmp_path, given=given)).generator.label_channels == 36


def channel_of(checkpoint: Checkpoint, id: int) -> int:
    return int(checkpoint.channels.indices(np.array([id]))[0])


def test_published_ade20k_networks_read_raw_ids_unless_told_otherwise(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, label_channels=151))
    raw = import_reference(ImportRequest(tmp_path, "ade20k"))
    assert [channel_of(raw, id) for id in (0, 1, 150, 255)] == [0, 1, 150, 0]
    shifted = import_reference(ImportRequest(tmp_path, "ade20k", ade20k_ids="shifted"))
    assert [channel_of(shifted, id) for id in (0, 1, 150, 255)] == [150, 0, 149, 150]
    save_checkpoint(tmp_path / "kept.safetensors", shifted)
    assert load_checkpoint(tmp_path / "kept.safetensors").channels == shifted.channels


def test_cityscapes_ids_are_channels_and_the_last_label_channel_stays_dark(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, label_channels=35, instance_edges=True))
    checkpoint = import_reference(ImportRequest(tmp_path, "cityscapes"))
    assert [channel_of(checkpoint, id) for id in range(34)] == list(range(34))
    assert checkpoint.generator.label_channels == 35


def test_coco_ids_are_channels_and_unlabelled_is_the_last(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, label_channels=183, instance_edges=True))
    checkpoint = import_reference(ImportRequest(tmp_path, "coco"))
    assert [channel_of(checkpoint, id) for id in (0, 181, 255)] == [0, 181, 182]


def test_do_not_care_may_be_written_as_in_files_or_as_the_published_loader_passes_it_on(tmp_path: Path):
    published_file(tmp_path, SMALL)
    checkpoint = import_reference(ImportRequest(tmp_path, given=facts_of(SMALL)))
    assert [channel_of(checkpoint, id) for id in (0, 5, 6, 255)] == [0, 5, 6, 6]


def test_a_label_set_of_the_users_own_must_fit_the_channels(tmp_path: Path):
    published_file(tmp_path, SMALL)
    with pytest.raises(BadLabelSetError, match="landscape"):
        import_reference(ImportRequest(tmp_path, given=facts_of(SMALL), label_set="landscape"))


# --- what the weights do not say ---


def test_what_the_weights_do_not_say_is_asked_for_all_at_once(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, start="style", style_size=8, start_grid=(4, 8)))
    with pytest.raises(NeedsDetailError) as caught:
        import_reference(ImportRequest(tmp_path))
    for option in ("--classes", "--dont-care", "--edges", "--upsampling", "--aspect-ratio"):
        assert option in caught.value.fix
    assert "7 input channels" in caught.value.message and "32 cells" in caught.value.message


def test_no_more_is_asked_than_is_needed(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, upsampling="most"))
    given = Facts(dont_care=True, edges=False)  # then the classes are what is left of the channels
    assert import_reference(ImportRequest(tmp_path, given=given)).generator.label_channels == 7
    published_file(tmp_path, SMALL)
    with pytest.raises(NeedsDetailError) as caught:
        import_reference(ImportRequest(tmp_path, given=Facts(classes=6, edges=False)))
    assert "--upsampling" in caught.value.fix and "--classes" not in caught.value.fix


def test_an_aspect_ratio_that_makes_no_such_grid_is_refused(tmp_path: Path):
    config = replace(SMALL, start="style", style_size=8, start_grid=(4, 8))
    published_file(tmp_path, config)
    for ratio in (1.0, -2.0, float("nan")):
        with pytest.raises(BadCheckpointError, match="32 cells"):
            import_reference(ImportRequest(tmp_path, given=replace(facts_of(config), aspect_ratio=ratio)))


def test_a_preset_that_does_not_fit_says_what_was_expected_and_found(tmp_path: Path):
    published_file(tmp_path, replace(SMALL, label_channels=151))
    with pytest.raises(BadCheckpointError) as caught:
        import_reference(ImportRequest(tmp_path, "coco"))
    assert "151" in caught.value.message and "184" in caught.value.message
    assert "ade20k" in caught.value.fix


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_the_options_that_lie_beside_the_weights_answer_for_the_user(kind: str, tmp_path: Path):
    record = recorded("more_aspect2")
    write_options(write_reference_files(tmp_path, record), record, kind)
    checkpoint = import_reference(ImportRequest(tmp_path))
    assert checkpoint.generator.upsampling == "more" and checkpoint.native_size == 128
    with pytest.raises(NeedsDetailError):
        (tmp_path / f"opt.{kind}").write_text("nothing of use: {")
        import_reference(ImportRequest(tmp_path))


# --- older files, and files of other names ---


def older(record: Recorded, network: str, with_divided_weight: bool) -> dict[str, torch.Tensor]:
    """As PyTorch 0.4 wrote it: no v, perhaps the divided weight in its place, no count of batches."""
    state = record.published_weights(network)
    for key in [key for key in state if key.endswith(".weight_v")]:
        layer = key.removesuffix(".weight_v")
        weight, u, v = state[f"{layer}.weight_orig"], state[f"{layer}.weight_u"], state.pop(key)
        if with_divided_weight:
            outputs_first = weight if len(weight) == len(u) else weight.transpose(0, 1)
            state[f"{layer}.weight"] = weight / u.dot(outputs_first.reshape(len(u), -1) @ v)
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("with_divided_weight", [False, True], ids=["u alone", "u and the divided weight"])
@pytest.mark.parametrize("variant", ["normal_syncbatch3x3", REFERENCE_SET, "pix2pixhd"])
def test_files_from_before_v_was_kept_paint_the_same(variant: str, with_divided_weight: bool, tmp_path: Path):
    record = recorded(variant)
    write_options(tmp_path, record)
    for network in record.shapes:
        torch.save(older(record, network, with_divided_weight), tmp_path / f"latest_net_{network}.pth")
    checkpoint = import_reference(ImportRequest(tmp_path))
    assert difference(*painted(record, served(checkpoint))) < TOLERANCE
    for network, path in zip("GED", export_reference(checkpoint, tmp_path / "now"), strict=False):
        if network in record.shapes:
            exported = torch.load(path, weights_only=True)
            assert {key: list(value.shape) for key, value in exported.items()} == record.shapes[path.stem[-1]]


@pytest.mark.parametrize("shape", [(8, 72, 1, 1), (40, 3, 3, 3), (6, 2, 1, 1), (1, 5, 3, 3)])
def test_a_recovered_v_is_the_one_that_the_power_iteration_left(shape: tuple[int, ...]):
    torch.manual_seed(1)
    layer = spectral_norm(torch.nn.Conv2d(shape[1], shape[0], shape[2]))
    layer(torch.zeros(1, shape[1], 4, 4))  # one iteration, in training mode
    norm = layer.parametrizations.weight[0]
    v = recovered_v(layer.parametrizations.weight.original.detach(), norm._u)
    assert torch.allclose(v, norm._v, atol=2e-6)


def test_the_format_from_before_pytorch_1_6_is_read(tmp_path: Path):
    record = recorded("normal_instance5x5")
    state = as_saved(record.published_weights("G"))
    torch.save(state, tmp_path / "latest_net_G.pth", _use_new_zipfile_serialization=False)
    write_options(tmp_path, record)
    checkpoint = import_reference(ImportRequest(tmp_path))
    assert difference(*painted(record, served(checkpoint))) < TOLERANCE


def test_sets_are_found_by_their_epoch(tmp_path: Path):
    record = recorded("gan_ls")
    write_options(tmp_path, record)
    write_reference_files(tmp_path, record, "50")
    assert import_reference(ImportRequest(tmp_path)).discriminator_weights, "the only set there is"
    write_reference_files(tmp_path, record, "100")
    with pytest.raises(BadCheckpointError) as caught:
        import_reference(ImportRequest(tmp_path))
    assert "50_net_G.pth" in caught.value.message and "--epoch" in caught.value.fix
    assert "50_net_G.pth" in import_reference(ImportRequest(tmp_path, epoch="50")).provenance["files"]


def test_a_generators_file_stands_alone(tmp_path: Path):
    record = recorded(REFERENCE_SET)
    write_options(write_reference_files(tmp_path, record), record)
    checkpoint = import_reference(ImportRequest(tmp_path / "latest_net_G.pth"))
    assert checkpoint.style_encoder is None and not checkpoint.discriminator_weights


def test_an_encoder_of_another_network_is_refused(tmp_path: Path):
    record = recorded(REFERENCE_SET)
    write_options(write_reference_files(tmp_path, record), record)
    published_file(tmp_path, replace(SMALL, instance_edges=True))
    with pytest.raises(BadCheckpointError, match="no style code"):
        import_reference(ImportRequest(tmp_path))


def test_an_encoder_without_norms_is_refused_plainly(tmp_path: Path):
    record = recorded(REFERENCE_SET)
    write_options(write_reference_files(tmp_path, record), record)
    state = torch.load(tmp_path / "latest_net_E.pth", weights_only=True)
    bare = {key.replace(".0.weight_", ".weight_"): value for key, value in state.items()}
    bare |= {f"layer{index}.bias": torch.zeros(1) for index in range(1, 7)}
    torch.save(bare, tmp_path / "latest_net_E.pth")
    with pytest.raises(BadCheckpointError, match="no norms"):
        import_reference(ImportRequest(tmp_path))
