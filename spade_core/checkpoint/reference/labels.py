# SPDX-License-Identifier: Apache-2.0
"""What the channels of a published network mean: its label set, and which channel an id lights."""

from __future__ import annotations

from typing import Literal

from ...contract.errors import BadLabelSetError
from ...contract.labels import LabelClass, LabelSet, load_label_set
from ...model.label_channels import LabelChannels
from .facts import LABEL_SETS, PRESETS, Facts

AdeIds = Literal["raw", "shifted"]

ANY = 255
"""The id for "do not care" in published data."""


def numbered_label_set(classes: int, dont_care: bool) -> LabelSet:
    """For data that no label set is known for: class 0, class 1 and so on.

    "Do not care" may be written as 255, as in files, or as the number of classes, as the published loader passes it on.
    """
    names = [f"class {id}" for id in range(classes)] + ["do not care"] * dont_care
    entries = (LabelClass(id, name, f"#{id * 0x9E3779 % 0x1000000:06X}") for id, name in enumerate(names))
    return LabelSet(f"numbered {classes}", 1, tuple(entries), ignore_id=ANY if dont_care else 0)


def published_channels(label_set: LabelSet, classes: int, dont_care: bool) -> LabelChannels:
    """An id is its channel, and "do not care" comes behind the classes.

    Raises BadLabelSetError where the set holds ids that the network has no channel for.
    """
    count = classes + dont_care
    ids = [entry.id for entry in label_set.classes]
    strange = [id for id in ids if id >= count]
    if strange:
        raise BadLabelSetError(
            f"The label set '{label_set.name}' has the id {strange[0]}; the network knows {count} label channels.",
            f"Choose a label set with ids from 0 to {count - 1}.",
        )
    if label_set.ignore_id in ids:
        return LabelChannels(count, tuple((id, id) for id in ids))
    if not dont_care:
        raise BadLabelSetError(
            f"The network has no channel for 'do not care', the id {label_set.ignore_id} of '{label_set.name}'.",
            "Set ignore_id to the id of one of its classes.",
        )
    return LabelChannels(count, (*((id, id) for id in ids), (label_set.ignore_id, classes)))


def ade20k_channels(label_set: LabelSet, ids: AdeIds) -> LabelChannels:
    """Of a network with 150 classes and "do not care", for the raw ids of ADE20K: 0 is "other", k is class k.

    raw: the id is the channel, which is what the published code does in fact: "other" has channel 0, and "do not care"
    is as good as "other". shifted: class k has channel k - 1 and "other" the last one, as it was meant to be.
    """
    if ids == "raw":
        of_ids = {entry.id: entry.id for entry in label_set.classes} | {label_set.ignore_id: 0}
    else:
        of_ids = {entry.id: (entry.id - 1) % 151 for entry in label_set.classes} | {label_set.ignore_id: 150}
    return LabelChannels(151, tuple(of_ids.items()))


def published_facts(label_set: LabelSet) -> Facts | None:
    """Of the published network for this shipped label set; None for any other set."""
    for preset, name in LABEL_SETS.items():
        if load_label_set(name).digest == label_set.digest:
            return PRESETS[preset]
    return None


def trained_channels(label_set: LabelSet) -> LabelChannels:
    """As the published code lays them out when it is trained on such label maps; our own for other label sets."""
    facts = published_facts(label_set)
    if facts is None:
        return LabelChannels.of(label_set)
    if facts is PRESETS["ade20k"]:
        return ade20k_channels(label_set, "raw")
    assert facts.classes is not None
    return published_channels(label_set, facts.classes, bool(facts.dont_care))
