# SPDX-License-Identifier: Apache-2.0
"""Whose weights a model has, what they were trained on, and on what terms, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .sources import EMBEDDED


@dataclass(frozen=True)
class Terms:
    """A sentence or two each: of the weights, and of the data they were trained on."""

    weights: str
    data: str

    @property
    def text(self) -> str:
        """Both together."""
        return f"{self.weights} {self.data}"


LANDSCAPE = Terms(
    "The model that comes along, made by this project: for research and evaluation.",
    "Trained on Flickr photos that were collected for research; their photographers keep their rights. For commercial "
    "work train your own model (docs/studios.md).",
)
_IMPORTED = (
    "Imported from files of the published SPADE code. NVIDIA's own models are under CC BY-NC-SA 4.0, which excludes "
    "commercial work; of others, whoever trained them says."
)
_DATA_SETS = {
    "coco": "Trained on COCO-Stuff: its photos are Flickr's, under terms of their own.",
    "ade20k": "Trained on ADE20K: its photos are for non-commercial research and education.",
    "cityscapes": "Trained on Cityscapes: for non-commercial use.",
}
_UNKNOWN_DATA = "On what it was trained is not known here: ask whoever made it."


def terms_of(provenance: Mapping[str, Any], file: Path | None = None) -> Terms:
    """What a model's file says of itself; of `file`, where it is a model that comes along, what its card says."""
    if file is not None and file.parent == EMBEDDED:
        return LANDSCAPE
    if "imported" in provenance:
        return Terms(_IMPORTED, _DATA_SETS.get(str(provenance.get("preset")), _UNKNOWN_DATA))
    if "images_seen" not in provenance:
        return Terms("Where these weights come from is not known.", _UNKNOWN_DATA)
    return Terms(_trained(provenance), _data(provenance))


def _trained(provenance: Mapping[str, Any]) -> str:
    began = provenance.get("started_from")
    if not isinstance(began, Mapping) or not began.get("file"):
        return "Trained with this program, from random weights: whoever trained it says who may use it."
    return f"Trained with this program from the weights of {began['file']}, whose terms count, too."


def _data(provenance: Mapping[str, Any]) -> str:
    """Of every training that the weights have behind them."""
    name, terms = str(provenance.get("data") or "data without a name"), str(provenance.get("terms") or "")
    if not terms:
        return f"Trained on '{name}', whose terms were not said when it was trained (--terms)."
    return f"Trained on '{name}', whose terms are: {terms.rstrip('.')}."
