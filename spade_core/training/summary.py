# SPDX-License-Identifier: Apache-2.0
"""What is going to be trained, in words, before it begins: what was assumed can be put right while it costs nothing."""

from __future__ import annotations

import numpy as np

from ..checkpoint.reference.labels import published_facts
from ..contract.errors import SpadeError
from ..contract.labels import LabelSet
from ..data.checks.seen import PLAIN, is_black_and_white
from ..data.layouts.layouts import OWN_LABEL_SET, VAL, indoors, layout_of, list_files
from ..data.layouts.passed_over import passed_over
from ..data.pairs import Pair, read_labels
from .config import TrainingConfig
from .run import Run

LOOKED_AT = 60
"""Label maps that are read for the classes' shares."""
LISTED = 12


def summary(run: Run) -> list[str]:
    """Data, labels, networks, and whose weights they begin with. Raises what listing the files raises."""
    return [
        _photos(run),
        _labels(run.config, run.label_set),
        *_classes(run.crops.pairs, run.label_set),
        _networks(run),
        *_chosen_by_data(run),
        *_origin(run),
    ]


def _photos(run: Run) -> str:
    config = run.config
    layout = layout_of(config.data, config.layout).name
    listing, held_out = (
        list_files(config.data, None, config.layout),
        list_files(config.data, VAL, config.layout),
    )
    training = {pair.name for pair in run.crops.pairs}
    apart = sum(pair.name not in training for pair in held_out.pairs)
    said = f"Data: {len(run.crops.pairs)} photos with label maps, laid out as '{layout}'; "
    said += f"{apart} held out." if apart else "none is held out."
    left_out = {
        "photos without a label map": len({file.name for file in listing.unlabelled}),
        "label maps without a photo": len({file.name for file in listing.unpictured}),
        "photos in no split": len({file.name for file in listing.unlisted}),
    }
    told = [f"{count} {what}" for what, count in left_out.items() if count]
    if layout in PLAIN:
        told += [each.words for each in passed_over(config.data, listing) if each.is_picture_like]
    if layout.startswith("ade20k-outdoor"):
        told.append(indoors(config.data, layout))
    return said + (f" Left out: {', '.join(told)}." if told else "")


def _labels(config: TrainingConfig, label_set: LabelSet) -> str:
    if config.label_set:
        source = "named by --label-set"
    elif (config.data / OWN_LABEL_SET).exists():
        source = f"by {OWN_LABEL_SET} beside the data"
    elif layout_of(config.data, config.layout).label_set:
        source = "as the data set has them"
    else:
        source = f"for want of a {OWN_LABEL_SET} beside the data: ids are read as that set's"
    return f"Labels: '{label_set.name}', {len(label_set.classes)} classes, {source}."


def _classes(pairs: list[Pair], label_set: LabelSet) -> list[str]:
    """Shares of pixels in some of the label maps; what cannot be read is said when training meets it."""
    chosen = pairs[:: max(1, len(pairs) // LOOKED_AT)]
    counts: dict[int, int] = {}
    for pair in chosen:
        try:
            ids, found = np.unique(read_labels(pair.labels, label_set), return_counts=True)
        except SpadeError:
            continue
        for id, count in zip(ids.tolist(), found.tolist(), strict=True):
            counts[id] = counts.get(id, 0) + count
    total = sum(counts.values()) or 1
    names = {entry.id: entry.name for entry in label_set.classes}
    seen = sorted(((count / total, names[id]) for id, count in counts.items() if id in names), reverse=True)
    listed = ", ".join(f"{name} {share:.1%}" for share, name in seen[:LISTED])
    more = f" and {len(seen) - LISTED} more" if len(seen) > LISTED else ""
    lines = [f"Classes, in {len(chosen)} label maps: {listed or 'none'}{more}."]
    unlabelled = sum(count for id, count in counts.items() if id not in names) / total
    if is_black_and_white(counts.keys(), label_set):
        lines.append(
            "  They hold only 0 and 255, black and white: nothing can be learned from that. `spade dataset check` "
            "names the command that makes two classes of them."
        )
    elif unlabelled > 0.5:
        lines.append(
            f"  Of their pixels {unlabelled:.0%} have no class: is this the label set they were made with?"
        )
    return lines


def _networks(run: Run) -> str:
    generator, crops = run.trainer.networks.generator.config, run.config.recipe.crops
    edges = " and instance edges" if generator.instance_edges else ""
    upsampling = getattr(generator, "upsampling", "normal")
    doublings = f", {upsampling} upsampling" if upsampling != "normal" else ""
    whose = "published" if _as_published(run) else "own"
    channels = f"{generator.label_channels} label channels ({whose}){edges}{doublings}"
    size = "photos of their own sizes" if crops.shape is None else f"{crops.shape[1]} x {crops.shape[0]}"
    precision = "mixed precision" if run.config.bf16 else "float32"
    return f"Networks: {generator.kind}, {channels}; {size}, {crops.batch} in a batch, {precision}."


def _chosen_by_data(run: Run) -> list[str]:
    """What a published recipe takes from the data set, and the options that say otherwise."""
    if run.config.recipe.crops.mode == "any_scale":
        return []
    cut = ["--mode", "--size", "--load-size", "--aspect"]
    if not _as_published(run):
        return [f"  Photos are cut as the published code cuts them; otherwise: {', '.join(cut)}."]
    generator = run.trainer.networks.generator.config
    built = ["--channels own"]
    built += ["--no-instances"] * generator.instance_edges
    built += ["--generator.upsampling"] * hasattr(generator, "upsampling")
    return [f"  As published for '{run.label_set.name}'; otherwise: {', '.join([*built, *cut])}."]


def _as_published(run: Run) -> bool:
    """Whether the label channels are those of a published network for this label set."""
    return run.config.recipe.channels == "published" and published_facts(run.label_set) is not None


def _origin(run: Run) -> list[str]:
    began = run.trainer.started_from
    if began is None or run.trainer.images_seen:
        return []
    lines = [f"Begins with the {' and '.join(began['kept'])} of {began['file']}."]
    if "classes" in began:
        matched = [f"{new} from {old}" if new != old else new for new, old in began["classes"].items() if old]
        fresh = [new for new, old in began["classes"].items() if not old]
        lines.append(f"  Classes that it knows: {', '.join(matched) or 'none'}.")
        lines += [f"  New ones: {', '.join(fresh)}."] * bool(fresh)
    return lines
