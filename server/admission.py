# SPDX-License-Identifier: Apache-2.0
"""What a Submit must be to become a job: pure checks, each refusal typed and with its remedy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spade_core.contract.codec import first_ids
from spade_core.contract.errors import BadHeaderError, LabelSetMismatchError, TooLargeError
from spade_core.contract.headers import json_text
from spade_core.contract.labels import LabelSet
from spade_core.contract.limits import Limits, refuse_size
from spade_core.contract.messages import (
    EXACT,
    PICTURE_ENCODINGS,
    PRIORITIES,
    InstancesPart,
    ModelInfo,
    Submit,
)
from spade_core.contract.placed_styles import one_style_only
from spade_core.contract.request import PictureRequest, not_looked_at, require, unknown_style
from spade_core.contract.submission import Buffer, all_style_parts, request_from
from spade_core.synthesis.painting_size import painting_size

from .keys import LOCAL
from .served_models import ServedModels

JobKey = tuple[str, str]  # (client session, of another user with their name, and job id)
_IDENTITY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class AdmittedJob:
    """A request that can be painted: `submit` describes `buffers`, of which the first is the raw label map.

    content: a hash of all that the picture depends on beside the model: equal hashes, equal pictures of one model.
    model_digest: of the model that it was admitted for.
    """

    submit: Submit
    buffers: Sequence[Buffer]
    content: str
    model_digest: str
    painted_size: tuple[int, int]
    """(height, width) of the painting that an upscaler enlarges, or of the picture."""
    user: str = LOCAL
    """Who asked for it: the name of a key, or this machine's user."""

    @property
    def painted_pixels(self) -> int:
        """Of the painting."""
        return self.painted_size[0] * self.painted_size[1]

    @property
    def pixels(self) -> int:
        """Size of the picture wanted."""
        height, width = self.submit.output.size or self.submit.shape
        return height * width

    @property
    def is_upscaled(self) -> bool:
        return self.painted_pixels < self.pixels

    @property
    def upscaled_pixels(self) -> int:
        """Size of the picture, where an upscaler makes it."""
        return self.pixels if self.is_upscaled else 0

    @property
    def nbytes(self) -> int:
        """Memory its buffers hold."""
        return sum(len(buffer) for buffer in self.buffers)


def key_of(user: str, client: str, job: str) -> JobKey:
    """Users share no jobs, whatever ids they choose."""
    return client if user == LOCAL else f"{user}/{client}", job


def job_key(submit: Submit, user: str) -> JobKey:
    """How a job is known. Raises BadHeaderError unless its ids are uuid hex: they are keys, and go into the log."""
    for name, value in (
        ("id", submit.id),
        ("client", submit.client),
        ("replaces", submit.replaces or "0" * 32),
    ):
        if not _IDENTITY.fullmatch(value):
            raise BadHeaderError(f"Submit.{name} is not 32 hexadecimal digits.", "Use uuid4().hex.")
    return key_of(user, submit.client, submit.id)


def announced_bytes(submit: Submit, buffers: Sequence[Buffer]) -> int:
    """What the job would hold, as far as its header tells."""
    maps = [each for each in (_regions(submit), submit.instances) if each is not None]
    styles = buffers[1 : len(buffers) - len(maps)]
    inflated = sum(max(0, each.raw_bytes) for each in maps)
    return max(0, submit.raw_bytes) + sum(len(buffer) for buffer in styles) + inflated


def admit(
    submit: Submit, buffers: Sequence[Buffer], models: ServedModels, limits: Limits, user: str = LOCAL
) -> AdmittedJob:
    """The job, checked as PictureRequest.check does.

    Raises what that raises, what ServedModels.require raises, and LabelSetMismatchError, BadFramesError,
    SizeMismatchError, and BadOptionError for an instance map that the model does not look at, or for styles of parts
    where it has one for all of a picture.
    """
    model = models.require(submit.model)
    refuse_other_labels(submit, model.info.name, model.label_set)
    if submit.instances is not None and not model.info.instance_edges:
        raise not_looked_at(model.info.name)
    if submit.places is not None and model.info.one_style:
        raise one_style_only(model.info.name, model.info.one_style)
    _refuse_sizes(submit, limits)
    require(submit.priority in PRIORITIES, "The priority", "0, 1 or 2")
    require(submit.deadline_ms is None or submit.deadline_ms > 0, "The deadline", "more than 0 ms")
    require(
        submit.output.encoding in PICTURE_ENCODINGS, "The picture's encoding", ", ".join(PICTURE_ENCODINGS)
    )
    if submit.encoding == "zlib" and buffers and (begin := first_ids(buffers[0], submit.dtype)).size:
        model.label_set.check(begin)
    raw, checked = _raw(submit, request_from(submit, buffers, model.label_set).check(limits), buffers)
    if submit.output.upscale not in ("auto", "off", *models.upscalers):
        raise BadHeaderError(
            f"This server has no upscaler '{submit.output.upscale}'.",
            f"Use {', '.join(('auto', 'off', *models.upscalers))}.",
        )
    for part in all_style_parts(submit):
        if part.kind == "named" and part.name.casefold() not in map(str.casefold, model.info.styles):
            raise unknown_style(part.name, model.info.name, model.info.styles)
    if not models.preview:  # it is the exact picture, and may be there already
        raw = replace(raw, output=replace(raw.output, precision=EXACT))
    size = _painted_size(submit, model.info)
    job = AdmittedJob(raw, checked, _content(raw, checked), model.info.digest, size, user)
    models.refuse_too_large(submit.model, job.painted_pixels, job.upscaled_pixels)
    return job


def _raw(
    submit: Submit, request: PictureRequest, buffers: Sequence[Buffer]
) -> tuple[Submit, Sequence[Buffer]]:
    """The job with its maps as `request` has them: checked, and not deflated."""
    label_map, objects, regions = request.label_map, request.instance_map, request.region_map
    raw = replace(submit, dtype=label_map.dtype.name, raw_bytes=label_map.nbytes, encoding="raw")
    if regions is not None and raw.places is not None:
        raw = replace(raw, places=replace(raw.places, regions=InstancesPart("uint8", regions.nbytes)))
    if objects is not None:
        raw = replace(raw, instances=InstancesPart(objects.dtype.name, objects.nbytes))
    maps = [each.data.cast("B") for each in (regions, objects) if each is not None]
    return raw, [label_map.data.cast("B"), *buffers[1 : len(buffers) - len(maps)], *maps]


def _regions(submit: Submit) -> InstancesPart | None:
    return None if submit.places is None else submit.places.regions


def _painted_size(submit: Submit, model: ModelInfo) -> tuple[int, int]:
    size = submit.output.size or submit.shape
    if submit.output.upscale == "off" or model.trained_size is None:
        return size
    return painting_size(size, model.trained_size, submit.output.detail)


def refuse_other_labels(submit: Submit, model: str, label_set: LabelSet) -> None:
    """Raises LabelSetMismatchError where the job's label map was made with another set than the model's."""
    if submit.label_set != label_set.digest:
        raise LabelSetMismatchError(
            f"The model '{model}' paints with the label set '{label_set.name}' "
            f"({len(label_set.classes)} classes), the map was made with another.",
            f"Choose the label set '{label_set.name}' for the scene, or another model.",
        )


def _refuse_sizes(submit: Submit, limits: Limits) -> None:
    """What the header alone shows, before anything is inflated."""
    refuse_size(submit.shape, "label map", limits)
    refuse_size(submit.output.size or submit.shape, "picture", limits)
    maps = ("A label map", submit), ("An instance map", submit.instances), ("A region map", _regions(submit))
    for what, part in maps:
        if part is not None and not 0 <= part.raw_bytes <= limits.max_map_bytes:
            raise TooLargeError(
                f"{what} of {part.raw_bytes} bytes is over the limit.", "Choose a smaller size."
            )
    for part in all_style_parts(submit):
        if part.kind == "image" and part.shape is not None:
            refuse_size(part.shape, "style image", limits)


def _content(submit: Submit, buffers: Sequence[Buffer]) -> str:
    kinds = (submit.dtype, None if submit.instances is None else submit.instances.dtype)
    parts = (submit.seed, submit.shape, kinds, submit.style, submit.places, submit.output)
    digest = hashlib.sha256(json_text(parts))
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()
