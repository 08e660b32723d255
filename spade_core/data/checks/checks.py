# SPDX-License-Identifier: Apache-2.0
"""What would go wrong with a data set in training, found before it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ...contract.labels import LabelSet
from ...progress import Progress, silent
from ..layouts.layouts import TRAIN, VAL, find_pairs, layout_of, list_files
from ..layouts.listing import Listing
from ..layouts.passed_over import PassedOver, passed_over
from .inspection import ERROR, WARNING, Finding, Inspected, inspect_pair
from .seen import BY_RULE, PLAIN, black_and_white, notes_on


@dataclass(frozen=True)
class ClassShare:
    """How much of one class there is. pixels: share of all readable label maps' pixels; pictures: how many show it."""

    id: int
    name: str
    color: str
    pixels: float
    pictures: int


@dataclass(frozen=True)
class DatasetReport:
    """All that was found. Errors stop training, or would train on the wrong thing."""

    pairs: dict[str, int]
    """By split."""
    sizes: dict[str, int]
    """How many photos have each size, the most frequent first."""
    classes: list[ClassShare]
    """The largest first; classes that never occur are among them."""
    findings: list[Finding]
    """The worst first."""
    inspected: list[Inspected]
    notes: list[str] = field(default_factory=list)
    """What was seen besides, each a sentence: nothing that has to be mended."""

    @property
    def errors(self) -> int:
        return sum(finding.severity == ERROR for finding in self.findings)

    def to_json(self) -> dict:
        """Plain dicts and lists: pairs, sizes, classes, findings."""
        kept = {name: value for name, value in vars(self).items() if name in ("pairs", "sizes")}
        lists = {name: [asdict(each) for each in getattr(self, name)] for name in ("classes", "findings")}
        return {"ready": not self.errors, **kept, **lists, "notes": self.notes}


def check(
    root: Path,
    layout: str,
    label_set: LabelSet,
    batch: int,
    size: int,
    progress: Progress = silent,
) -> DatasetReport:
    """Read every pair of a data set. batch and size: of the training that is planned.

    Raises BadImageError where the folder holds no pair at all.
    """
    splits = {split: list_files(root, split, layout) for split in (TRAIN, VAL)}
    every = list_files(root, None, layout)
    inspected = []
    with ThreadPoolExecutor() as threads:  # decoding lets other threads run
        for each in threads.map(
            lambda pair: inspect_pair(pair, label_set), every.pairs or find_pairs(root, None, layout)
        ):
            inspected.append(each)
            progress("reading pairs", len(inspected), len(every.pairs))
    by_rule = layout_of(root, layout).name.startswith(BY_RULE)
    over = [] if by_rule else passed_over(root, every)
    plain = layout_of(root, layout).name in PLAIN
    findings = [
        *_by_fix(inspected, ERROR),
        *black_and_white(root, inspected, label_set),
        *_unpaired(every, root),
        *(_passed(over) if plain else []),
        *_splits(splits, batch),
        *_by_fix(inspected, WARNING),
        *_shared(splits, inspected),
        *_small(inspected, size),
        *_classes_found(splits, inspected, label_set),
    ]
    findings.sort(key=lambda finding: finding.severity != ERROR)
    sizes = Counter(f"{each.size[0]} x {each.size[1]}" for each in inspected if each.size)
    pairs = {split: len(found.pairs) for split, found in splits.items()}
    if splits[TRAIN] == splits[VAL]:
        pairs = {TRAIN: pairs[TRAIN]}
    notes = notes_on(root, layout, every, [each for each in over if not (plain and each.is_picture_like)])
    return DatasetReport(
        pairs, dict(sizes.most_common()), _shares(inspected, label_set), findings, inspected, notes
    )


def _by_fix(inspected: Iterable[Inspected], severity: str) -> list[Finding]:
    """Files with the same remedy are one finding, in the words of the first."""
    groups: dict[str, list[tuple[str, Finding]]] = defaultdict(list)
    for each in inspected:
        for finding in each.findings:
            if finding.severity == severity:
                groups[finding.fix].append((each.pair.name, finding))
    return [
        replace(members[0][1], count=len(members), files=tuple(name for name, _ in members))
        for members in groups.values()
    ]


def _unpaired(found: Listing, root: Path) -> list[Finding]:
    findings = []
    for files, what, fix in (
        (found.unlabelled, "no label map: it is left out", "Add the label map, or take the photo away."),
        (found.unpictured, "no photo: it is left out", "Add the photo, or take the label map away."),
        (found.unlisted, "no row in index.csv: it is left out", "Add a row with its split, or take it away."),
    ):
        if files:
            names = tuple(file.relative_to(root).as_posix() for file in files)
            findings.append(Finding(WARNING, f"{names[0]} has {what}.", fix, len(files), names))
    return findings


def _passed(over: list[PassedOver]) -> list[Finding]:
    """Pictures that somebody may have meant to be trained on."""
    return [
        Finding(
            WARNING, f"{each.words} are passed over.", each.why, len(each.files), tuple(map(str, each.files))
        )
        for each in over
        if each.is_picture_like
    ]


def _splits(splits: dict[str, Listing], batch: int) -> list[Finding]:
    train, val = splits[TRAIN].pairs, splits[VAL].pairs
    findings = []
    if not train:
        findings.append(Finding(ERROR, "No pair is in the split 'train'.", "Put most of them there."))
    elif len(train) < batch:
        findings.append(
            Finding(
                WARNING,
                f"{len(train)} training pairs are fewer than a batch of {batch}: each batch shows pairs twice.",
                "Add pairs, or train with a smaller batch.",
            )
        )
    if train and (not val or splits[TRAIN] == splits[VAL]):
        findings.append(
            Finding(
                WARNING,
                "No pairs are set aside: whether a model has learned or memorised cannot be told.",
                "Write an index.csv with the columns name and split (train, or val for some).",
            )
        )
    return findings


def _shared(splits: dict[str, Listing], inspected: list[Inspected]) -> list[Finding]:
    """Photos that are in both splits under two names, and the same photo twice."""
    val = {pair.name for pair in splits[VAL].pairs} - {pair.name for pair in splits[TRAIN].pairs}
    places: dict[str, list[str]] = defaultdict(list)
    for each in inspected:
        if each.content:
            places[each.content].append(each.pair.name)
    twice = [names for names in places.values() if len(names) > 1]
    leaked = [names for names in twice if 0 < len(val & set(names)) < len(names)]
    findings = []
    for groups, where, fix in (
        (
            leaked,
            "are one photo, in training and set aside",
            "Keep both in one split: figures lie otherwise.",
        ),
        ([names for names in twice if names not in leaked], "are one photo", "Keep one of them."),
    ):
        if groups:
            files = tuple(name for names in groups for name in names)
            first = " and ".join(groups[0][:2])
            findings.append(Finding(WARNING, f"{first} {where}.", fix, len(groups), files))
    return findings


def _small(inspected: list[Inspected], size: int) -> list[Finding]:
    small = [each for each in inspected if each.size and min(each.size) < size]
    if not small:
        return []
    width, height = small[0].size or (0, 0)
    message = f"{small[0].pair.name} is {width} x {height} pixels: it is enlarged to train at {size}, and looks soft."
    names = tuple(each.pair.name for each in small)
    return [Finding(WARNING, message, "Use larger photos, or train at their size.", len(small), names)]


def _classes_found(
    splits: dict[str, Listing], inspected: list[Inspected], label_set: LabelSet
) -> list[Finding]:
    by_name = {each.pair.name: each for each in inspected}
    shown: dict[str, set[int]] = {
        split: {id for pair in found.pairs for id in by_name[pair.name].pixels}
        for split, found in splits.items()
    }
    names = {entry.id: entry.name for entry in label_set.classes}
    findings = []
    unseen = [names[id] for id in sorted(shown[VAL] - shown[TRAIN]) if id in names]
    if unseen and splits[TRAIN].pairs:
        message = f"{', '.join(unseen)} occur in val and never in training."
        findings.append(Finding(WARNING, message, "Move some of those pairs to train.", len(unseen)))
    absent = [entry.name for entry in label_set.classes if entry.id not in shown[TRAIN] | shown[VAL]]
    if absent and len(absent) < len(label_set.classes):
        occur = "1 class never occurs" if len(absent) == 1 else f"{len(absent)} classes never occur"
        message = f"{occur} ({', '.join(absent[:6])}{', ...' if len(absent) > 6 else ''})."
        fix = "A model will paint nothing sensible for them: add pairs, or leave them out of the label set."
        findings.append(Finding(WARNING, message, fix, len(absent)))
    return findings


def _shares(inspected: list[Inspected], label_set: LabelSet) -> list[ClassShare]:
    pixels: Counter[int] = Counter()
    pictures: Counter[int] = Counter()
    for each in inspected:
        pixels.update(each.pixels)
        pictures.update(each.pixels.keys())
    total = max(1, sum(pixels.values()))
    entries = [(entry.id, entry.name, entry.color) for entry in label_set.classes]
    if label_set.ignore_id not in {id for id, _, _ in entries}:
        entries.append((label_set.ignore_id, "(any)", "#000000"))
    shares = [ClassShare(id, name, color, pixels[id] / total, pictures[id]) for id, name, color in entries]
    return sorted(shares, key=lambda share: -share.pixels)
