# SPDX-License-Identifier: Apache-2.0
"""One small scene, as other programs write it: sky over ground, and a tree before both. Each writer takes a folder."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from spade_core.contract.labels import LabelClass
from tests.support.small_data import save

WIDTH, HEIGHT = 64, 48
NAMES = ("sky", "ground", "tree")
COLORS = ((112, 160, 224), (192, 160, 112), (48, 160, 48))
PHOTOS = ("a", "b", "c")

# left, top, right, bottom of each class in the photo, the later over the earlier
BOXES = ((0, 0, 64, 16), (0, 16, 64, 48), (20, 10, 30, 40))


def truth(moved: int = 0) -> np.ndarray:
    """(H, W) places in NAMES; the tree stands so many pixels further to the right."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, (left, top, right, bottom) in enumerate(boxes(moved)):
        ids[top:bottom, left:right] = place
    return ids


def boxes(moved: int) -> list[tuple[int, int, int, int]]:
    left, top, right, bottom = BOXES[2]
    return [*BOXES[:2], (left + moved, top, right + moved, bottom)]


def moves() -> list[tuple[str, int]]:
    """The photos' names, and how far the tree of each is moved."""
    return [(name, 7 * number) for number, name in enumerate(PHOTOS)]


def photo(folder: Path, name: str, ending: str = ".jpg") -> Path:
    noise = np.random.default_rng(list(name.encode())).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return save(folder / f"{name}{ending}", noise)


def colored(moved: int) -> np.ndarray:
    return np.array(COLORS, np.uint8)[truth(moved)]


def corners(box: tuple[int, int, int, int]) -> list[list[int]]:
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def classes() -> tuple[LabelClass, ...]:
    named = zip(NAMES, COLORS, strict=True)
    return tuple(LabelClass(id, name, f"#{bytes(rgb).hex().upper()}") for id, (name, rgb) in enumerate(named))


def write_json(path: Path, held: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held))
    return path


def cvat(root: Path) -> Path:
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    lines += [f"{name}:{','.join(map(str, rgb))}::" for name, rgb in zip(NAMES, COLORS, strict=True)]
    for name, moved in moves():
        photo(root / "JPEGImages", name)
        save(root / "SegmentationClass" / f"{name}.png", colored(moved))
    (root / "labelmap.txt").write_text("\n".join(lines))
    return root


def cvat_xml(root: Path) -> Path:
    labels = "".join(
        f"<label><name>{each.name}</name><color>{each.color}</color></label>" for each in classes()
    )
    images = ""
    for number, (name, moved) in enumerate(moves()):
        photo(root / "images", name)
        left, top, right, bottom = boxes(moved)[2]
        points = ";".join(f"{x}.00,{y}.00" for x, y in corners(BOXES[1]))
        images += (
            f'<image id="{number}" name="{name}.jpg" width="{WIDTH}" height="{HEIGHT}">'
            f'<mask label="tree" z_order="2" rle="0, {(right - left) * (bottom - top)}" left="{left}" top="{top}" '
            f'width="{right - left}" height="{bottom - top}"/>'
            f'<box label="sky" xtl="0" ytl="0" xbr="64" ybr="16" z_order="0"/>'
            f'<polygon label="ground" points="{points}" z_order="1"/>'
            '<polyline label="tree" points="1,1;2,2" z_order="0"/></image>'
        )
    text = f"<version>1.1</version><meta><task><labels>{labels}</labels></task></meta>{images}"
    head = '<?xml version="1.0" encoding="utf-8"?>'
    (root / "annotations.xml").write_text(f"{head}<annotations>{text}</annotations>")
    return root


def labelme(root: Path) -> Path:
    for name, moved in moves():
        photo(root, name)
        sky, ground, tree = boxes(moved)
        shapes = [
            {"label": "sky", "shape_type": "rectangle", "points": [sky[:2], sky[2:]]},
            {"label": "ground", "shape_type": "polygon", "points": corners(ground)},
            {"label": "tree", "shape_type": "mask", "points": [tree[:2], tree[2:]], "mask": full_mask(tree)},
            {"label": "tree", "shape_type": "line", "points": [[0, 0], [9, 9]]},
        ]
        size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
        write_json(
            root / f"{name}.json", {"shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None, **size}
        )
    return root


def full_mask(box: tuple[int, int, int, int]) -> str:
    """A mask of ones as LabelMe keeps it."""
    return png_text(np.ones((box[3] - box[1], box[2] - box[0]), np.bool_))


def png_text(pixels: np.ndarray, pack: bool = False) -> str:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    data = held.getvalue()
    return base64.b64encode(zlib.compress(data) if pack else data).decode()


def coco(root: Path, file: str = "annotations/instances_train.json", photos: str = "train") -> Path:
    """Polygons, a plain and a compressed run-length code."""
    from pycocotools import mask

    images, annotations = [], []
    for number, (name, moved) in enumerate(moves()):
        photo(root / photos, name)
        images.append({"id": number, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT})
        ids = truth(moved)
        plain = np.asfortranarray(ids == 1).ravel(order="F")
        runs = np.diff(np.flatnonzero(np.diff(plain, prepend=~plain[:1], append=~plain[-1:])))
        counts = [0, *runs.tolist()] if plain[0] else runs.tolist()
        packed = mask.encode(np.asfortranarray((ids == 2).astype(np.uint8)))
        sky = np.array(corners(BOXES[0])).ravel().tolist()
        for category, segmentation in (
            (5, {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}),
            (3, {"size": [HEIGHT, WIDTH], "counts": counts}),
            (1, [sky]),
        ):
            annotations.append({"id": len(annotations), "image_id": number, "category_id": category,
                                "segmentation": segmentation, "iscrowd": 0})  # fmt: skip
    categories = [{"id": id, "name": name} for id, name in zip((1, 3, 5), NAMES, strict=True)]
    write_json(root / file, {"images": images, "annotations": annotations, "categories": categories})
    return root


def roboflow_coco(root: Path) -> Path:
    return coco(root, "train/_annotations.coco.json")


def yolo(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "images" / "train", name)
        lines = [
            f"{place} " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners(box))
            for place, box in enumerate(boxes(moved))
        ]
        file = root / "labels" / "train" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines))
    (root / "data.yaml").write_text("train: images/train\nnames:\n  0: sky\n  1: ground\n  2: tree\n")
    return root


def label_studio(root: Path) -> Path:
    tasks = []
    for number, (name, moved) in enumerate(moves()):
        photo(root / "media", name)
        sky, ground, tree = boxes(moved)
        percent = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(ground)]
        left, top = 100 * sky[0] / WIDTH, 100 * sky[1] / HEIGHT
        right, bottom = 100 * sky[2] / WIDTH, 100 * sky[3] / HEIGHT
        box = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rectanglelabels": ["sky"]}
        results = [
            {"type": "rectanglelabels", "value": box},
            {"type": "polygonlabels", "value": {"points": percent, "polygonlabels": ["ground"]}},
            {"type": "brushlabels", "value": {"format": "rle", "rle": brush(tree), "brushlabels": ["tree"]}},
            {"type": "choices", "value": {"choices": ["day"]}},
        ]
        sized = [{**each, "original_width": WIDTH, "original_height": HEIGHT} for each in results]
        cancelled = {"result": [], "was_cancelled": True}
        tasks.append({"id": number, "data": {"image": f"/data/upload/1/0123abcd-{name}.jpg"},
                      "annotations": [{"result": sized}, cancelled]})  # fmt: skip
    write_json(root / "project-1.json", tasks)
    return root


def brush(box: tuple[int, int, int, int]) -> list[int]:
    """A stroke that fills a box, in the run-length code of Label Studio: each row's runs as repeated values."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[box[1] : box[3], box[0] : box[2]] = 255
    values = np.repeat(alpha.ravel(), 4)
    bits = f"{values.size:032b}" + f"{7:05b}" + "".join(f"{length - 1:04b}" for length in (3, 4, 8, 16))
    starts = np.flatnonzero(np.diff(values, prepend=values[0] + 1))
    for start, end in zip(starts, [*starts[1:], values.size], strict=True):
        bits += f"1{3:02b}{end - start - 1:016b}{values[start]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def roboflow_masks(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "train", f"{name}_jpg.rf.0123abcd")
        save(root / "train" / f"{name}_jpg.rf.0123abcd_mask.png", truth(moved))
    rows = [f"{place}, {name}" for place, name in enumerate(NAMES)]
    (root / "train" / "_classes.csv").write_text("Pixel Value, Class\n" + "\n".join(rows))
    return root


def supervisely(root: Path) -> Path:
    listed = [{"title": each.name, "shape": "any", "color": each.color} for each in classes()]
    write_json(root / "meta.json", {"classes": listed, "tags": []})
    for name, moved in moves():
        photo(root / "ds0" / "img", name)
        sky, ground, tree = boxes(moved)
        points = {"exterior": [sky[:2], [sky[2] - 1, sky[3] - 1]], "interior": []}
        whole = {"exterior": corners((0, 0, WIDTH, HEIGHT)), "interior": [corners(sky)]}
        stamp = png_text(np.ones((tree[3] - tree[1], tree[2] - tree[0]), np.bool_), pack=True)
        objects = [
            {"classTitle": "sky", "geometryType": "rectangle", "points": points},
            {"classTitle": "ground", "geometryType": "polygon", "points": whole},
            {"classTitle": "tree", "geometryType": "bitmap", "bitmap": {"data": stamp, "origin": tree[:2]}},
            {"classTitle": "tree", "geometryType": "point", "points": {"exterior": [[1, 1]], "interior": []}},
        ]
        held = {"size": {"width": WIDTH, "height": HEIGHT}, "objects": objects, "tags": [{"name": "train"}]}
        write_json(root / "ds0" / "ann" / f"{name}.jpg.json", held)
    return root


def hugging_face(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "train" / "image", name)
        save(root / "train" / "annotation" / f"{name}.png", truth(moved))
    write_json(root / "id2label.json", {str(place): name for place, name in enumerate(NAMES)})
    return root


def parquet(root: Path) -> Path:
    import pyarrow
    import pyarrow.parquet

    rows: dict[str, list] = {"image": [], "label": []}
    for name, moved in moves():
        rows["image"].append(
            {"bytes": photo(root / "spare", name, ".png").read_bytes(), "path": f"{name}.png"}
        )
        held = io.BytesIO()
        Image.fromarray(truth(moved)).save(held, "PNG")
        rows["label"].append({"bytes": held.getvalue(), "path": None})
    (root / "data").mkdir()
    pyarrow.parquet.write_table(
        pyarrow.table(rows), root / "data" / "train-00000-of-00001.parquet", row_group_size=2
    )
    write_json(root / "id2label.json", {str(place): name for place, name in enumerate(NAMES)})
    for file in (root / "spare").iterdir():
        file.unlink()
    (root / "spare").rmdir()
    return root


def mapillary(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "training" / "images", name)
        picture = Image.fromarray(truth(moved))
        picture.putpalette([channel for rgb in COLORS for channel in rgb])
        place = root / "training" / "v2.0" / "labels" / f"{name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.save(place)
    labels = [{"name": f"nature--{name}", "readable": name, "color": list(rgb)}
              for name, rgb in zip(NAMES, COLORS, strict=True)]  # fmt: skip
    labels.append({"name": "void--unlabeled", "readable": "Unlabeled", "color": [0, 0, 0]})
    write_json(root / "config_v2.0.json", {"labels": labels, "version": "2.0"})
    return root


def mmsegmentation(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "img_dir" / "train", name)
        save(root / "ann_dir" / "train" / f"{name}.png", truth(moved))
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def pix2pix(root: Path) -> Path:
    for name, moved in moves():
        noise = np.asarray(Image.open(photo(root / "train", name, ".png")))
        save(root / "train" / f"{name}.png", np.hstack([noise, colored(moved)]))
    return root


def one_folder(root: Path) -> Path:
    for name, moved in moves():
        photo(root, f"{name}_image")
        save(root / f"{name}_label.png", truth(moved))
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def black_and_white(root: Path) -> Path:
    for name, moved in moves():
        photo(root / "images", name)
        save(root / "labels" / f"{name}.png", (truth(moved) == 2).astype(np.uint8) * 255)
    return root


WRITERS = {
    "cvat": cvat,
    "cvat-xml": cvat_xml,
    "labelme": labelme,
    "coco": coco,
    "yolo": yolo,
    "label-studio": label_studio,
    "roboflow-masks": roboflow_masks,
    "supervisely": supervisely,
    "hugging-face": hugging_face,
    "parquet": parquet,
    "mapillary": mapillary,
    "mmsegmentation": mmsegmentation,
    "pix2pix": pix2pix,
    "one-folder": one_folder,
    "black-and-white": black_and_white,
}
