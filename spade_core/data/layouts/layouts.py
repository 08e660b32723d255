# SPDX-License-Identifier: Apache-2.0
"""The data sets SPADE is trained on, as people have them on disk, and the plain folder.

Each layout says which files are pairs; ids are read as they are on disk, as the label set of the same name has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...contract.errors import BadImageError
from ...contract.labels import LabelSet, load_label_set
from ..exports.base import Format
from ..exports.masks import common_ending
from ..exports.registry import format_named, how_to_convert, recognised, titles
from ..pairs import Pair
from ..placement import Preprocess
from .listing import IMAGE_ENDINGS, LABEL_ENDINGS, Listing, paired, pictures, pictures_below
from .outdoor import dropped_scenes, is_outdoor_by_classes, is_outdoor_by_scene
from .passed_over import passed_over, what_there_is

TRAIN, VAL = "train", "val"

OWN_LABEL_SET = "label_set.toml"
"""The label set a plain folder may carry."""

IMAGE_FOLDERS, LABEL_FOLDERS = ("images", "img_dir"), ("labels", "masks", "annotations", "ann_dir")
SPLIT_NAMES = {TRAIN: ("train", "training"), VAL: ("val", "valid", "validation", "test", "testing")}
"""How exporters call their folders."""

FLICKR_VAL_SHARE = 1000 / 41_000  # of the paper's Flickr Landscapes


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk."""

    name: str
    listing: Callable[[Path, str], Listing]
    """(root, train or val) -> what that split holds."""
    recognises: Callable[[Path], bool]
    expects: str
    """Where its files belong, in a few words."""
    label_set: str = ""
    """The shipped set whose ids the files hold; "" where that is the folder's own affair."""
    preprocess: Preprocess = Preprocess()
    """As the reference trains on it."""


def find_pairs(root: Path, split: str | None, layout: str = "auto") -> list[Pair]:
    """The pairs of a data set sorted by photo; split is train, val, or None for both.

    Raises BadImageError where no photo has a label map of the same name, and as `layout_of`.
    """
    chosen = layout_of(root, layout)
    found = list_files(root, split, chosen.name)
    if not found.pairs:
        raise _no_pairs(root, split, chosen, found)
    return found.pairs


def _no_pairs(root: Path, split: str | None, layout: Layout, found: Listing) -> BadImageError:
    """With what there is instead, and the command where it is another program's export."""
    exports = recognised(root)
    if exports:
        return _to_convert(root, exports)
    where = f" for '{split}'" if split else ""
    seen = what_there_is(root)
    message = f"No photo with a label map of the same name was found in {root}{where}"
    fix = layout.expects
    endings = (common_ending([file.stem for file in some]) for some in (found.unlabelled, found.unpictured))
    if any(pair_endings := tuple(endings)):
        other = " and ".join(f"'{ending}'" for ending in pair_endings if ending)
        command = how_to_convert(root, [format_named("hugging-face")]).removesuffix("`")
        fix = f"Their names end in {other}: take that away, or run {command} --format hugging-face`"
    elif unread := next((each for each in passed_over(root, found) if each.is_of_another_kind), None):
        fix = unread.why.removesuffix(".")
    elif found.unlisted:
        fix = f"Write names as {found.unlisted[0].stem} into index.csv, and train or val behind each"
    return BadImageError(f"{message} ({seen})." if seen else f"{message}.", f"{fix}.")


def _to_convert(root: Path, exports: list[Format]) -> BadImageError:
    return BadImageError(
        f"{root} looks like {titles(exports)}, which has to be converted.",
        f"Run {how_to_convert(root, exports)}.",
    )


def list_files(root: Path, split: str | None, layout: str = "auto") -> Listing:
    """Pairs, and files without a partner. Raises as `layout_of`."""
    chosen = layout_of(root, layout)
    if split is not None:
        return chosen.listing(root, split)
    return chosen.listing(root, TRAIN) + chosen.listing(root, VAL)


def indoors(root: Path, layout: str) -> str:
    """What a rule for ADE20K's outdoor scenes leaves out, in words: how many pairs, and of which scenes if known."""
    kept = {pair.name for pair in list_files(root, None, layout).pairs}
    dropped = [pair.name for pair in list_files(root, None, "ade20k").pairs if pair.name not in kept]
    most = ", ".join(f"{scene} {count}" for scene, count in dropped_scenes(root, dropped).most_common(5))
    return f"{len(dropped)} by the rule '{layout}'" + (f" (most of {most})" if most else "")


def layout_of(root: Path, name: str = "auto") -> Layout:
    """The layout of this name, or the one that a folder has. Raises BadImageError."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    if name != "auto":
        raise BadImageError(f"There is no layout '{name}'.", f"Choose one of {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        if exports := recognised(root):  # a file
            raise _to_convert(root, exports)
        raise BadImageError(f"There is no folder {root}.", "Check the path.")
    for layout in LAYOUTS.values():
        if layout.recognises(root):
            return layout
    exports = recognised(root)
    if exports:
        raise _to_convert(root, exports)
    seen = what_there_is(root)
    raise BadImageError(
        f"{root} is laid out as none of the known data sets{f' ({seen})' if seen else ''}.",
        f"{LAYOUTS['folder'].expects}; or name one of {', '.join(LAYOUTS)}.",
    )


def own_label_set(root: Path, layout: str = "auto") -> LabelSet | None:
    """The folder's own label_set.toml, or that of the layout; None where neither says which set it is.

    Raises BadImageError and BadLabelSetError.
    """
    own = root / OWN_LABEL_SET
    name = str(own) if own.exists() else layout_of(root, layout).label_set
    return load_label_set(name) if name else None


def label_set_of(root: Path, layout: str = "auto", named: str | None = None) -> LabelSet:
    """The label set that was named, or the data's own, or landscape. Raises BadImageError and BadLabelSetError."""
    return load_label_set(named) if named else own_label_set(root, layout) or load_label_set("landscape")


def _folder(root: Path, split: str) -> Listing:
    """Folders inside are looked through as well: the same ones in labels/ as in images/."""
    found = paired(*map(_all_inside, (root / "images", root / "labels", root / "instances")))
    index = root / "index.csv"
    return found.indexed(index, split) if index.exists() else found


def _all_inside(folder: Path) -> dict[str, Path]:
    endings = IMAGE_ENDINGS if folder.name == "images" else LABEL_ENDINGS
    return pictures_below(folder, endings, lambda file: _inside(folder, file))


def _split_folders(root: Path, split: str) -> Listing:
    """As many programs export them: images/train, labels/train, images/val; img_dir/train, ann_dir/train."""
    images, labels = _split_folder(root, IMAGE_FOLDERS, split), _split_folder(root, LABEL_FOLDERS, split)
    return paired(
        {} if images is None else pictures(images, IMAGE_ENDINGS),
        {} if labels is None else pictures(labels, LABEL_ENDINGS),
        pictures(root / "instances" / (split if images is None else images.name), LABEL_ENDINGS),
    )


def _split_folder(root: Path, kinds: tuple[str, ...], split: str) -> Path | None:
    places = (root / kind / name for kind in kinds for name in SPLIT_NAMES[split])
    return next((place for place in places if place.is_dir()), None)


def _has_split_folders(root: Path) -> bool:
    return all(_split_folder(root, kinds, TRAIN) is not None for kinds in (IMAGE_FOLDERS, LABEL_FOLDERS))


def _flickr(root: Path, split: str) -> Listing:
    """Folders inside images/ are looked through; without an index.csv a hash of the name decides on the split."""
    images, labels = root / "images", root / "labels"
    found = paired(
        pictures_below(images, IMAGE_ENDINGS, lambda file: _inside(images, file)),
        pictures_below(labels, LABEL_ENDINGS, lambda file: _inside(labels, file)),
    )
    if (root / "index.csv").exists():
        return found.indexed(root / "index.csv", split)
    return found.only(lambda name: (_lot(name) < FLICKR_VAL_SHARE) == (split == VAL))


def _is_flickr(root: Path) -> bool:
    """Photos lie in folders inside images/, and none beside those."""
    images = root / "images"
    if not (images.is_dir() and (root / "labels").is_dir()):
        return False
    return any(each.is_dir() for each in images.iterdir()) and not pictures(images, IMAGE_ENDINGS)


def _coco_stuff(root: Path, split: str) -> Listing:
    """As the reference wants it ({split}_img, _label, _inst), or as COCO and COCO-Stuff come ({split}2017)."""
    if (root / f"{split}_img").is_dir():
        places = [root / f"{split}_{kind}" for kind in ("img", "label", "inst")]
    else:
        images = _first_folder(root / "images" / f"{split}2017", root / f"{split}2017")
        labels = _first_folder(
            *(root / place / f"{split}2017" for place in ("stuffthingmaps", "labels", "annotations"))
        )
        places = [images, labels, root / "instances" / f"{split}2017"]
    images, labels, instances = places
    return paired(
        pictures(images, IMAGE_ENDINGS),
        pictures(labels, LABEL_ENDINGS),
        pictures(instances, LABEL_ENDINGS),
    )


def _ade20k(root: Path, split: str) -> Listing:
    """All photos and annotations below root; the names say which are which split (ADE_train_..., ADE_val_...)."""
    marked = f"_{split}_"

    def of_split(file: Path) -> str | None:
        return file.stem if marked in file.name else None

    labels = pictures_below(root, (".png",), of_split)
    parts = [file for name, file in labels.items() if name.endswith("_seg") or "_parts_" in name]
    if parts and len(parts) == len(labels):
        raise BadImageError(
            f"{parts[0].name} and its like are the full ADE20K's colour-coded objects and parts.",
            "Use the annotations of the scene parsing benchmark (ADEChallengeData2016): ids 0 to 150.",
        )
    return paired(pictures_below(root, (".jpg", ".jpeg"), of_split), labels)


def _cityscapes(root: Path, split: str) -> Listing:
    """leftImg8bit/ and gtFine/; the first three parts of a name (city, sequence, frame) are what pairs share."""
    ids, instances = (f"_gtFine_{kind}" for kind in ("labelIds", "instanceIds"))

    def frames(place: Path, ending: str) -> dict[str, Path]:
        return pictures_below(
            place,
            (".png",),
            lambda file: "_".join(file.stem.split("_")[:3]) if file.stem.endswith(ending) else None,
        )

    annotations = root / "gtFine" / split
    return paired(
        frames(root / "leftImg8bit" / split, "_leftImg8bit"),
        frames(annotations, ids),
        frames(annotations, instances),
    )


def _outdoor_by_classes(root: Path, split: str) -> Listing:
    found = _ade20k(root, split)
    outdoor = is_outdoor_by_classes(found.pairs)
    return found.only(outdoor.__getitem__)


def _outdoor_by_scene(root: Path, split: str) -> Listing:
    return _ade20k(root, split).only(is_outdoor_by_scene(root))


def _is_ade20k(root: Path) -> bool:
    inner = _first_folder(root / "ADEChallengeData2016", root)
    return (inner / "images" / "training").is_dir() and (inner / "annotations" / "training").is_dir()


def _is_coco_stuff(root: Path) -> bool:
    return any((root / f"{split}_img").is_dir() for split in (TRAIN, VAL)) or any(
        (root / place / f"{split}2017").is_dir()
        for place in ("stuffthingmaps", "labels", "annotations")
        for split in (TRAIN, VAL)
    )


def _first_folder(*places: Path) -> Path:
    return next((place for place in places if place.is_dir()), places[-1])


def _inside(folder: Path, file: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _lot(name: str) -> float:
    """A number in 0..1 that depends on the name alone: adding photos moves none from one split to the other."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


_NEVER: Callable[[Path], bool] = lambda root: False  # noqa: E731  (to be named: another layout looks the same)

_ADE20K = "Put photos and annotations (ids 0 to 150) of ADEChallengeData2016 below one folder"

LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "cityscapes",
            _cityscapes,
            lambda root: (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir(),
            "Put leftImg8bit/ and gtFine/ (with *_gtFine_labelIds.png) into it, as they come",
            "cityscapes",
            Preprocess("fixed", 512, 512, aspect=2.0),
        ),
        Layout(
            "coco_stuff",
            _coco_stuff,
            _is_coco_stuff,
            "Put train2017/ and val2017/ into images/ and into stuffthingmaps/, or use train_img/ and train_label/",
            "coco_stuff",
        ),
        Layout("ade20k", _ade20k, _is_ade20k, _ADE20K, "ade20k"),
        Layout("ade20k-outdoor", _outdoor_by_classes, _NEVER, _ADE20K, "ade20k"),
        Layout("ade20k-outdoor-scenes", _outdoor_by_scene, _NEVER, _ADE20K, "ade20k"),
        Layout(
            "split-folders",
            _split_folders,
            _has_split_folders,
            "Put photos in images/train/ and images/val/, label maps of the same names in labels/train/ and so on",
        ),
        Layout(
            "flickr",
            _flickr,
            _is_flickr,
            "Put photos below images/ and their predicted label maps (PNG, ids) below labels/, at the same paths",
        ),
        Layout(
            "folder",
            _folder,
            lambda root: (root / "images").is_dir() and (root / "labels").is_dir(),
            "Put photos in images/ and label maps (PNG, ids) of the same names in labels/",
        ),
    )
}
