# SPDX-License-Identifier: Apache-2.0
"""An exported network paints in ONNX Runtime what it paints here: ids in, picture out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint
from spade_core.checkpoint.onnx_export import export_onnx
from spade_core.contract.errors import BadOptionError, CannotWriteError, UnavailableError
from spade_core.contract.labels import load_label_set, parse_label_set
from spade_core.synthesis.synthesizer import Synthesizer
from tests.checkpoint.test_reference_import import import_recorded
from tests.model.test_generator_variants import KINDS, network, with_edges
from tests.support.published import REFERENCE_SET, recorded
from tests.support.tiny import tiny_checkpoint

TOLERANCE = 1e-4


def session_of(checkpoint: Checkpoint, folder: Path) -> onnxruntime.InferenceSession:
    written = export_onnx(checkpoint, folder / "Größe.onnx", "small")
    assert written.difference < TOLERANCE
    return onnxruntime.InferenceSession((folder / "Größe.onnx").read_bytes())


def test_our_own_network_paints_any_size_with_style_and_noise(tmp_path: Path):
    checkpoint = tiny_checkpoint()
    session = session_of(checkpoint, tmp_path)
    generator = checkpoint.build_generator()
    random = np.random.default_rng(0)
    for height, width in ((32, 32), (64, 224), (160, 96)):
        label_map = random.choice([*range(17), 255], (1, height, width)).astype(np.int32)
        style = random.standard_normal((1, 6), np.float32)
        noise = generator.draw_noise(1, height, width)
        planes = {f"noise_{index}": plane.numpy() for index, plane in enumerate(noise)}
        [image] = session.run(["image"], {"labels": label_map, "style": style, **planes})
        expected = painted_by_torch(checkpoint, label_map, style, noise)
        assert image.shape == (1, 3, height, width) and np.abs(image - expected).max() < TOLERANCE
        assert 0 <= image.min() and image.max() <= 1


def test_an_id_that_the_label_set_does_not_have_counts_as_no_label(tmp_path: Path):
    checkpoint = tiny_checkpoint()
    session = session_of(checkpoint, tmp_path)
    label_map = np.full((1, 32, 96), 3, np.int32)
    noise = checkpoint.build_generator().draw_noise(1, 32, 96)
    inputs = {"style": np.zeros((1, 6), np.float32)}
    inputs |= {f"noise_{index}": plane.numpy() for index, plane in enumerate(noise)}

    def painted(unknown: int) -> np.ndarray:
        label_map[:, :, 40:60] = unknown
        return session.run(["image"], {"labels": label_map, **inputs})[0]

    unlabelled = painted(checkpoint.label_set.ignore_id)
    assert np.abs(unlabelled - painted(3)).max() > TOLERANCE
    for unknown in (-1, 200, 256, 70_000, 2**31 - 1, -(2**31)):
        np.testing.assert_array_equal(painted(unknown), unlabelled)


def painted_by_torch(checkpoint: Checkpoint, label_map, style, noise) -> np.ndarray:
    from spade_core.model.label_channels import LabelChannels
    from spade_core.model.semantic_input import one_hot

    channels = torch.from_numpy(LabelChannels.of(checkpoint.label_set).indices(label_map))
    with torch.inference_mode():
        semantic = one_hot(channels, checkpoint.generator.label_channels)
        return checkpoint.build_generator()(semantic, torch.from_numpy(style), noise).numpy() / 2 + 0.5


def test_an_imported_network_of_one_size_paints_what_was_recorded(tmp_path: Path):
    record = recorded(REFERENCE_SET)
    session = session_of(import_recorded(tmp_path, record), tmp_path)
    for index in range(2):
        [image] = session.run(
            ["image"],
            {
                "labels": record.arrays["in/label"][index].astype(np.int32),
                "instances": record.arrays["in/inst"][index].astype(np.int32),
                "style": record.arrays["in/z"][index : index + 1],
            },
        )
        theirs = record.arrays["out/G_given_z"][index]
        assert np.abs(image[0] * 2 - 1 - theirs).max() < TOLERANCE
    notes = session.get_modelmeta().custom_metadata_map
    assert notes["fixed_size"] == "64 64"
    assert parse_label_set(notes["label_set"]).digest == notes["label_set_digest"]


@pytest.mark.parametrize("kind", ["spade, 5x5", "clade", "concat", "pix2pixhd", "pix2pixhd enhanced", "crn"])
def test_every_kind_of_generator_goes_out_and_looks_at_instances(kind: str, tmp_path: Path):
    config = with_edges(KINDS[kind])
    checkpoint = Checkpoint(config, network(config).state_dict(), load_label_set("landscape"), native_size=64)
    written = export_onnx(checkpoint, tmp_path / "model.onnx", "small")
    assert written.difference < TOLERANCE and "instances" in written.shapes
    model = Synthesizer(checkpoint, "small", "", torch.device("cpu"))
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    side = max(64, int(session.get_modelmeta().custom_metadata_map["multiple"]) * 2)
    label_map, objects = np.random.default_rng(0).integers(0, 3, (2, side, side + side)).astype(np.int32)
    [image] = session.run(["image"], {"labels": label_map[None], "instances": objects[None]})
    painted = model.render_float(label_map.astype(np.uint8), instance_map=objects).transpose(2, 0, 1)
    assert np.abs(image[0] * 2 - 1 - painted).max() < 2 * TOLERANCE


def test_without_the_packages_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("spade_core.checkpoint.onnx_export.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as caught:
        export_onnx(tiny_checkpoint(), tmp_path / "model.onnx", "small")
    assert "spade-backdrops[onnx]" in caught.value.fix


def test_a_missing_folder_is_said_before_the_work_begins(tmp_path: Path):
    with pytest.raises(CannotWriteError, match="no folder"):
        export_onnx(tiny_checkpoint(), tmp_path / "missing" / "model.onnx", "small")


@pytest.mark.parametrize("opset", [11, 15, 18])
def test_engines_get_one_size_and_the_operators_they_know(tmp_path: Path, opset: int):
    checkpoint = tiny_checkpoint()
    written = export_onnx(checkpoint, tmp_path / "model.onnx", "small", size=(64, 96), opset=opset)
    assert written.difference < TOLERANCE
    assert written.shapes["labels"] == "int32 (1, 64, 96)"
    assert written.shapes["image"] == "float32 (1, 3, 64, 96)"
    [version] = [each.version for each in onnx.load(tmp_path / "model.onnx").opset_import if not each.domain]
    assert version == opset
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    assert session.get_modelmeta().custom_metadata_map["fixed_size"] == "64 96"


@pytest.mark.parametrize(
    ("size", "opset", "says"),
    [
        (None, 15, "--size"),
        ((64, 64), 8, "11 to 18"),
        ((64, 64), 30, "11 to 18"),
        ((50, 64), 18, "multiples of 32"),
        ((0, 64), 18, "multiples of 32"),
    ],
)
def test_what_cannot_be_exported_says_what_can(tmp_path: Path, size, opset: int, says: str):
    with pytest.raises(BadOptionError) as caught:
        export_onnx(tiny_checkpoint(), tmp_path / "model.onnx", "small", size=size, opset=opset)
    assert says in caught.value.fix
    assert not list(tmp_path.iterdir())
