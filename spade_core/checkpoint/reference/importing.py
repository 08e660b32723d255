# SPDX-License-Identifier: Apache-2.0
"""A published network's files to a checkpoint of ours, with equal outputs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from ...contract.errors import BadCheckpointError, NeedsDetailError
from ...contract.labels import LabelSet, load_label_set
from ...model.label_channels import LabelChannels
from ...model.style_encoder import StyleEncoderConfig
from ..file import Checkpoint, file_digest
from . import shapes
from .facts import LABEL_SETS, PRESETS, Facts, PresetName, facts_beside, preset_of
from .fit import check_fit, refuse_non_numbers
from .keys import completed, our_name
from .labels import AdeIds, ade20k_channels, numbered_label_set, published_channels
from .networks import empty_networks, fixed_size
from .others import refuse_relatives
from .read import network_files, read_state

USUAL_CROP = 256
"""Pixels; what the published code trains at where nothing else is said."""

CHANNELS_QUESTION = shapes.Question(
    "how many of them are classes", "--classes, --dont-care yes (or no) and --edges yes (or no)"
)


@dataclass(frozen=True)
class ImportRequest:
    """What to import, and what the user knows about it."""

    source: Path
    preset: PresetName | Literal["auto"] = "auto"
    given: Facts = field(default_factory=Facts)
    label_set: str | None = None
    """A shipped label set or a file, in place of the preset's."""
    ade20k_ids: AdeIds = "raw"
    epoch: str | None = None


def import_reference(request: ImportRequest) -> Checkpoint:
    """Read the files and work out what they are; all tensors stay as they are, bit by bit.

    Raises BadCheckpointError, NeedsDetailError and BadLabelSetError.
    """
    files = network_files(request.source, request.epoch)
    found = {network: read_state(path) for network, path in files.items()}
    refuse_relatives(found["G"].state, files["G"].name)
    states = {network: _ours(each.state) for network, each in found.items()}
    preset, facts = _settled(request, facts_beside(files["G"].parent), states["G"], files["G"].name)
    assert facts.classes is not None and facts.dont_care is not None and facts.edges is not None
    label_set, label_channels = _labels(request, preset, facts.classes, facts.dont_care)
    config = shapes.generator_config(states["G"], label_channels.count, facts.edges, facts)
    encoder = shapes.encoder_config(states["E"]) if "E" in states else None
    _refuse_strangers(config.style_size, encoder, files)
    networks = empty_networks(states, config, encoder)
    fitted = {key: check_fit(network, states[key], files[key].name) for key, network in networks.items()}
    for key, state in fitted.items():
        refuse_non_numbers(state, files[key].name)
    own_size = fixed_size(config)
    taken = {files[network].name: each.taken for network, each in found.items() if each.taken}
    return Checkpoint(
        generator=config,
        generator_weights=fitted["G"],
        label_set=label_set,
        native_size=max(own_size) if own_size else facts.crop_size or USUAL_CROP,
        style_encoder=encoder,
        encoder_weights=fitted.get("E", {}),
        discriminator_weights=fitted.get("D", {}),
        channels=label_channels,
        provenance={
            "imported": "from files of the published code",
            "preset": preset or "none",
            **({"ADE20K ids": request.ade20k_ids} if preset == "ade20k" else {}),
            **({"taken": taken} if taken else {}),
            "files": {path.name: file_digest(path) for path in files.values()},
        },
    )


def _ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {our_name(key): value for key, value in completed(state).items()}


def _settled(
    request: ImportRequest, beside: Facts, state: dict[str, Tensor], file: str
) -> tuple[PresetName | None, Facts]:
    """The data set, where it is a known one, and what is known in the end.

    Raises NeedsDetailError and BadCheckpointError.
    """
    given, channels = request.given, shapes.input_channels(state)
    if request.preset == "auto":
        said = given.or_else(beside)
        preset = preset_of(channels, said)
        facts = said if preset is None else said.or_else(PRESETS[preset])
        facts = facts.with_channels(channels)
    else:
        preset = request.preset
        sizes = dataclasses.replace(beside, classes=None)
        facts = given.or_else(sizes).or_else(PRESETS[preset])
    if facts.channels not in (None, channels):
        raise _misfit(preset, facts, channels, file)
    questions = shapes.open_questions(state, facts)
    if facts.channels is None:
        questions.insert(0, CHANNELS_QUESTION)
    if questions:
        unknown = ", nor ".join(question.unknown for question in questions)
        options = ", and ".join(question.options for question in questions)
        raise NeedsDetailError(
            f"{file} reads {channels} input channels; it does not say {unknown}.",
            f"Give {options}; or put the opt.txt of its training beside it.",
        )
    return preset, facts


def _misfit(preset: PresetName | None, facts: Facts, channels: int, file: str) -> BadCheckpointError:
    parts = [
        f"{facts.classes} classes",
        *["don't care"] * bool(facts.dont_care),
        *["edges"] * bool(facts.edges),
    ]
    better = preset_of(channels)
    if better is not None and better != preset:
        fix = f"Give --preset {better}, which has {channels}."
    else:
        fix = f"Leave --preset out if it was trained on other data; give {CHANNELS_QUESTION.options} as it was trained."
    expected = f"the preset '{preset}' expects" if preset else "that makes"
    return BadCheckpointError(
        f"{file} reads {channels} input channels; {expected} {facts.channels} ({', '.join(parts)}).", fix
    )


def _labels(
    request: ImportRequest, preset: PresetName | None, classes: int, dont_care: bool
) -> tuple[LabelSet, LabelChannels]:
    if request.label_set is None and preset is None:
        label_set = numbered_label_set(classes, dont_care)
    else:
        label_set = load_label_set(request.label_set or LABEL_SETS[preset])  # type: ignore[index]
    if preset == "ade20k" and request.label_set is None and (classes, dont_care) == (150, True):
        return label_set, ade20k_channels(label_set, request.ade20k_ids)
    return label_set, published_channels(label_set, classes, dont_care)


def _refuse_strangers(style_size: int, encoder: StyleEncoderConfig | None, files: dict[str, Path]) -> None:
    """Raises BadCheckpointError where the encoder's codes are none of the generator's."""
    if encoder is not None and encoder.style_size != style_size:
        takes = f"codes of {style_size} numbers" if style_size else "no style code"
        raise BadCheckpointError(
            f"{files['E'].name} gives style codes of {encoder.style_size} numbers, {files['G'].name} takes {takes}.",
            "They were not trained together: import the generator's file alone.",
        )
