# SPDX-License-Identifier: Apache-2.0
"""Whose weights these are and on what terms is said in words, wherever they go."""

from __future__ import annotations

from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.sources import EMBEDDED, model_file
from spade_core.checkpoint.terms import terms_of
from spade_core.upscaling.names import available
from spade_core.upscaling.terms import upscaler_terms


def test_the_model_that_comes_along_is_for_research_and_evaluation():
    file = model_file("landscape")
    terms = terms_of(load_checkpoint(file).provenance, file)
    assert "research and evaluation" in terms.weights and "photographers keep their rights" in terms.data
    assert "docs/studios.md" in terms.text and (EMBEDDED.parents[1] / "docs" / "studios.md").is_file()


def test_a_trained_model_says_what_was_said_of_its_data_and_whose_weights_it_began_with():
    trained = {"images_seen": 800, "data": "desert", "terms": "our own photos, all rights ours."}
    assert "random weights" in terms_of(trained).weights
    assert terms_of(trained).data == "Trained on 'desert', whose terms are: our own photos, all rights ours."
    further = terms_of(trained | {"started_from": {"file": "landscape.safetensors"}})
    assert "landscape.safetensors, whose terms count, too" in further.weights
    assert "were not said" in terms_of(trained | {"terms": ""}).data


def test_an_imported_model_names_the_terms_of_the_published_weights_and_of_its_data_set():
    imported = terms_of({"imported": "from files of the published code", "preset": "ade20k"})
    assert "CC BY-NC-SA 4.0" in imported.weights and "ADE20K" in imported.data
    assert "not known" in terms_of({"imported": "yes", "preset": "none"}).data


def test_of_a_file_that_says_nothing_nothing_is_said_to_be_known():
    assert terms_of({}).text.count("not known") == 2


def test_every_upscaler_has_terms():
    for name in available():
        assert "BSD-3-Clause" in upscaler_terms(name)
    assert "BSD-3-Clause" in upscaler_terms("embedded 0123456789abcdef bfloat16 0.5")
    assert "not known here" in upscaler_terms("4xNomos8k 0123 float32 0.5")
