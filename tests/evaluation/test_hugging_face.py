# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face folder as segmenter: its classes are found by name, and what is no such folder is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.contract.errors import BadCheckpointError, LabelSetMismatchError, UnavailableError
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.build import load_segmenter

LANDSCAPE = load_label_set("landscape")
CPU = torch.device("cpu")


def test_a_folder_without_the_library_is_refused_with_the_way_to_install_it(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UnavailableError, match="pip install"):
        load_segmenter(tmp_path, LANDSCAPE, CPU)


NAMES = {0: "sky", 1: "tree", 2: "mountain, mount", 3: "television"}


def hugging_face_folder(folder: Path, kind: str = "SegFormer") -> Path:
    """A network of random weights that calls everything a television or one of three things."""
    transformers = pytest.importorskip("transformers")
    if kind == "SegFormer":
        config = transformers.SegformerConfig(
            num_labels=4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, depths=[1] * 4,
            decoder_hidden_size=8,
        )  # fmt: skip
        build = transformers.SegformerForSemanticSegmentation
    else:
        pytest.importorskip("scipy")
        config = transformers.Mask2FormerConfig(
            backbone_config=transformers.SwinConfig(
                image_size=64, embed_dim=12, depths=[1] * 4, num_heads=[1, 1, 1, 1], window_size=2,
                out_features=["stage1", "stage2", "stage3", "stage4"],
            ),
            num_labels=4, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32,
            dim_feedforward=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2, num_queries=5,
        )  # fmt: skip
        build = transformers.Mask2FormerForUniversalSegmentation
    config.id2label = NAMES
    build(config).save_pretrained(folder)
    preprocessing = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.2] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return folder


@pytest.mark.parametrize("kind", ["SegFormer", "Mask2Former"])
def test_a_hugging_face_segmenters_classes_are_found_by_name(tmp_path: Path, kind: str):
    segmenter = load_segmenter(hugging_face_folder(tmp_path, kind), LANDSCAPE, CPU)
    places = {entry.name: place for place, entry in enumerate(LANDSCAPE.classes)}
    assert np.flatnonzero(segmenter.known_classes).tolist() == sorted(
        places[name] for name in ("sky", "tree", "mountain")
    )
    assert "3 of 17" in segmenter.title
    seen = segmenter.predict([np.zeros((48, 80, 3), np.uint8)])
    assert seen.shape == (1, 48, 80)
    assert set(np.unique(seen).tolist()) <= {-1, *(places[name] for name in ("sky", "tree", "mountain"))}


def test_a_hugging_face_segmenter_without_a_common_class_is_refused(tmp_path: Path):
    cityscapes = load_label_set("cityscapes")
    folder = hugging_face_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "spoon", "1": "fork", "2": "knife", "3": "television"}
    config["label2id"] = {name: int(id) for id, name in config["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabelSetMismatchError):
        load_segmenter(folder, cityscapes, CPU)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path):
    pytest.importorskip("transformers")
    with pytest.raises(BadCheckpointError, match="model.safetensors"):
        load_segmenter(tmp_path, LANDSCAPE, CPU)
