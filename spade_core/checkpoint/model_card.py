# SPDX-License-Identifier: Apache-2.0
"""A model's card as the Hugging Face hub reads it: a head in YAML for programs, below it what people want to know."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..contract.errors import UnavailableError
from .file import Checkpoint
from .hub import INSTALL

TAGS = ["spade", "gaugan", "semantic-image-synthesis", "label-to-image", "blender"]
PLACEHOLDER = "ORG/NAME"


@dataclass(frozen=True)
class CardRequest:
    """What a card says that the checkpoint does not know."""

    name: str
    """Of the model, for people."""
    repository: str | None = None
    """org/name under which it will be found."""
    license: str | None = None
    """As the hub names licences; None: "other", with the checkpoint's own terms."""


def model_card(checkpoint: Checkpoint, request: CardRequest) -> str:
    """README.md. Raises UnavailableError without huggingface_hub, which writes and checks the head."""
    try:
        from huggingface_hub import ModelCardData
    except ImportError:
        raise UnavailableError("Writing model cards needs the library huggingface_hub.", INSTALL) from None
    terms = str(checkpoint.provenance.get("terms") or "")
    head = ModelCardData(
        license=request.license or "other",
        license_name=None if request.license else "terms-of-the-training-data",
        library_name="spade-backdrops",
        pipeline_tag="image-to-image",
        tags=TAGS,
    )
    sections = [
        f"# {request.name}",
        _summary(checkpoint),
        _use(checkpoint, request.repository or PLACEHOLDER),
        _classes(checkpoint),
        _training(checkpoint),
        _terms(terms, request.license),
    ]
    return f"---\n{head.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _summary(checkpoint: Checkpoint) -> str:
    label_set = checkpoint.label_set
    weights = sum(weight.numel() for weight in checkpoint.generator_weights.values())
    styled = (
        " A style code, from a photo or a seed, sets light and weather." if checkpoint.style_encoder else ""
    )
    return (
        f"A generator of the kind `{checkpoint.generator.kind}` with {weights / 1e6:.1f} million numbers that paints "
        f"photographs to semantic label maps of `{label_set.name}` ({len(label_set.classes)} classes), at its best at "
        f"{checkpoint.native_size} x {checkpoint.native_size} pixels.{styled}"
    )


def _use(checkpoint: Checkpoint, repository: str) -> str:
    return f"""## Use
```
pip install 'spade-backdrops[hub]'
spade checkpoint download {repository}
spade generate labels.png -o picture.png --model {repository}
spade-server --models {repository}    # for Blender
```
```python
from spade_core import Synthesizer

rgb = Synthesizer.load("{repository}").render(label_map, seed=7)  # (H, W) ids -> (H, W, 3) uint8
```"""


def _classes(checkpoint: Checkpoint) -> str:
    rows = [f"| {entry.id} | {entry.name} | `{entry.color}` |" for entry in checkpoint.label_set.classes]
    ignored = f"| {checkpoint.label_set.ignore_id} | anything | |"
    return "\n".join(["## Label maps", "| id | class | colour |", "|---|---|---|", *rows, ignored])


def _training(checkpoint: Checkpoint) -> str:
    """What the checkpoint knows of where it comes from, but for its terms."""
    held = checkpoint.provenance
    named = {
        "data": "data", "images_seen": "photos seen", "steps": "steps", "hardware": "hardware", "torch": "torch",
        "imported": "imported", "preset": "preset",
    }  # fmt: skip
    rows = [f"| {what} | {held[key]} |" for key, what in named.items() if held.get(key)]
    size = checkpoint.trained_size
    rows.append(
        f"| trained at | {'the sizes of the photos' if size is None else f'{size[1]} x {size[0]} pixels'} |"
    )
    numbers = dataclasses.asdict(checkpoint.generator)
    rows += [f"| {name.replace('_', ' ')} | {value} |" for name, value in numbers.items()]
    return "\n".join(["## Training and network", "| | |", "|---|---|", *rows])


def _terms(terms: str, license: str | None) -> str:
    said = [terms or "Its training states no terms for its data."]
    if license is not None:
        said.append(f"These weights are given under `{license}`.")
    said.append("It paints what its photos show: places and weather that they lack, it has never seen.")
    return "## Terms and limits\n" + "\n\n".join(said)
