# SPDX-License-Identifier: Apache-2.0
"""A model's weights for another label set: what it knows of a class goes to the class of the same name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..checkpoint.file import Checkpoint
from ..contract.labels import LabelSet
from ..model.build import AnyGeneratorConfig, build_generator
from ..model.label_channels import LabelChannels


def matched_classes(old: LabelSet, new: LabelSet) -> dict[int, int]:
    """Id of each new class to the id of the old one that it is: of the same name, or that a name or an alias means."""
    found = {}
    for entry in new.classes:
        names = (entry.name, *entry.aliases)
        same = old.class_named(entry.name) or next((hit for name in names if (hit := old.match(name))), None)
        if same is not None:
            found[entry.id] = same.id
    return found


def by_class_names(
    held: Checkpoint, label_set: LabelSet, channels: LabelChannels
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The held generator's weights with these label channels of `label_set`, and for the record what was matched.

    A class that the old model does not know begins as the mean of those it knows; don't-care as the old don't-care.
    """
    old_channels = held.label_channels
    if held.label_set.digest == label_set.digest and old_channels == channels:
        return held.generator_weights, {}
    ids = matched_classes(held.label_set, label_set) | {label_set.ignore_id: held.label_set.ignore_id}
    old, new = dict(old_channels.of_ids), dict(channels.of_ids)
    sources: list[int | None] = [None] * channels.count
    # A class before "don't care", where published networks have one channel for both.
    for id, channel in sorted(new.items(), key=lambda each: each[0] != label_set.ignore_id):
        sources[channel] = old.get(ids[id]) if id in ids else None
    known = sorted({old[entry.id] for entry in held.label_set.classes if entry.id in old})
    weights = dict(held.generator_weights)
    for name, axis in label_axes(held.generator).items():
        weight = weights[name]
        # Labels stand behind the features on their axis, where there are any, and instance edges behind the labels.
        first = weight.shape[axis] - held.generator.input_channels
        planes = weight.narrow(axis, first, old_channels.count)
        mean = planes.index_select(axis, torch.tensor(known)).mean(axis, keepdim=True)
        behind = first + old_channels.count
        weights[name] = torch.cat(
            [
                weight.narrow(axis, 0, first),
                *(mean if source is None else planes.narrow(axis, source, 1) for source in sources),
                weight.narrow(axis, behind, weight.shape[axis] - behind),
            ],
            axis,
        )
    names = {entry.id: entry.name for entry in held.label_set.classes}
    return weights, {"classes": {entry.name: names.get(ids.get(entry.id, -1)) for entry in label_set.classes}}


def label_axes(config: AnyGeneratorConfig) -> dict[str, int]:
    """Which weights of a generator see the label channels, and on which axis."""
    with torch.device("meta"):
        shapes, wider = (
            {name: value.shape for name, value in build_generator(each).state_dict().items()}
            for each in (config, replace(config, label_channels=config.label_channels + 1))
        )
    return {
        name: next(axis for axis, side in enumerate(shape) if wider[name][axis] != side)
        for name, shape in shapes.items()
        if wider[name] != shape
    }
