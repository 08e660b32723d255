# SPDX-License-Identifier: Apache-2.0
"""What a Submit must be to become a job: pure checks, each refusal typed and with its remedy."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from spade_core.contract.codec import unpack_label_map
from spade_core.contract.errors import (
    BadFrames,
    BadHeader,
    LabelSetMismatch,
    SizeMismatch,
    TooLarge,
    UnknownModel,
)
from spade_core.contract.labels import LabelSet
from spade_core.contract.messages import Limits, ModelInfo, Submit
from spade_core.contract.submission import refuse_size

_IDENTITY = re.compile("[0-9a-f]{32}")
_MAX_SEED = 2**63
_ENCODINGS = ("raw", "png", "jpeg", "webp")


@dataclass(frozen=True)
class ServedModel:
    """A model as the broker knows it: enough to judge a label map, no weights."""

    info: ModelInfo
    label_set: LabelSet


def check_identity(submit: Submit) -> None:
    """Raises BadHeader unless the ids are uuid hex: they are keys of tables, and go into the log."""
    for name, value in (
        ("id", submit.id),
        ("client", submit.client),
        ("replaces", submit.replaces or "0" * 32),
    ):
        if not _IDENTITY.fullmatch(value):
            raise BadHeader(f"Submit.{name} is not 32 hexadecimal digits.", "Use uuid4().hex.")


def served(models: dict[str, ServedModel], name: str) -> ServedModel:
    """The model of this name. Raises UnknownModel."""
    if name not in models:
        raise UnknownModel(
            f"This server has no model '{name[:80]}'.",
            f"Choose one of: {', '.join(sorted(models))}, or start the server with --models.",
        )
    return models[name]


def check_request(submit: Submit, model: ServedModel, limits: Limits) -> None:
    """Everything that the header alone shows. Raises LabelSetMismatch, TooLarge, BadShape, BadHeader."""
    refuse_other_labels(submit, model.info.name, model.label_set)
    refuse_size(submit.shape, "label map", limits)
    refuse_size(submit.output.size or submit.shape, "picture", limits)
    if not 0 <= submit.raw_bytes <= limits.max_bytes:
        raise TooLarge(
            f"A label map of {submit.raw_bytes} bytes is over the limit.", "Choose a smaller size."
        )
    style = submit.style
    _require(0 <= submit.seed < _MAX_SEED and 0 <= style.seed < _MAX_SEED, "A seed", "0 to 2^63 - 1")
    _require(submit.priority in (0, 1, 2), "The priority", "0, 1 or 2")
    _require(submit.deadline_ms is None or submit.deadline_ms > 0, "The deadline", "more than 0 ms")
    _require(0 <= style.strength <= 2, "The style's strength", "0 to 2")
    _require(0 <= style.mix <= 1, "The style's mix", "0 to 1")
    _require(submit.output.encoding in _ENCODINGS, "The picture's encoding", ", ".join(_ENCODINGS))
    _require(submit.output.mode == "image", f"The mode '{submit.output.mode[:20]}'", "'image' on this server")
    _require(
        style.kind in ("none", "seed", "image"), f"The style '{style.kind[:20]}'", "'none', 'seed' or 'image'"
    )
    _require(style.kind != "image" or style.shape is not None, "The style image's shape", "[height, width]")


def refuse_other_labels(submit: Submit, model: str, label_set: LabelSet) -> None:
    """Raises LabelSetMismatch where the job's label map was made with another set than the model's."""
    if submit.label_set != label_set.digest:
        raise LabelSetMismatch(
            f"The model '{model}' paints with the label set '{label_set.name}' "
            f"({len(label_set.classes)} classes), the map was made with another.",
            f"Choose the label set '{label_set.name}' for the scene, or another model.",
        )


def check_buffers(
    submit: Submit, buffers: Sequence[memoryview], model: ServedModel, limits: Limits
) -> list[bytes | memoryview]:
    """The raw label map and style image. Raises BadFrames, SizeMismatch, BadShape, BadLabel, TooLarge."""
    wanted = 2 if submit.style.kind == "image" else 1
    if len(buffers) != wanted:
        raise BadFrames(
            f"The job has {len(buffers)} buffers where {wanted} belong.", "Send the arrays it names."
        )
    label_map = unpack_label_map(buffers[0], submit.shape, submit.dtype, submit.encoding, submit.raw_bytes)
    checked: list[bytes | memoryview] = [model.label_set.check(label_map).data.cast("B")]
    if submit.style.shape is not None and wanted == 2:
        refuse_size(submit.style.shape, "style image", limits)
        height, width = submit.style.shape
        if len(buffers[1]) != height * width * 3:
            raise SizeMismatch(f"The style image is not {width} x {height} RGB.", "Send it as 8-bit RGB.")
        checked.append(buffers[1])
    return checked


def content_of(submit: Submit, buffers: Sequence[bytes | memoryview]) -> str:
    """A hash of all that the picture depends on beside the model: equal hashes, equal pictures of one model."""
    parts = (submit.seed, submit.shape, asdict(submit.style), asdict(submit.output))
    digest = hashlib.sha256(json.dumps(parts).encode())
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


def _require(holds: bool, what: str, allowed: str) -> None:
    if not holds:
        raise BadHeader(f"{what} is not allowed here.", f"Use {allowed}.")
