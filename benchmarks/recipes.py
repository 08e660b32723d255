# SPDX-License-Identifier: Apache-2.0
"""What each part of the recipe is worth: the same small generator on the same photos, the same number of them seen.

python -m benchmarks.recipes --data photos/ --segmenter FILE -o recipes/ [--images 1600]

Trains one model a row (a row that is there already is continued, or taken as it is), then measures all of them at 128
pixels by `spade evaluate`, on held-out label maps and on blocked-out ones. Ratios are to the paper's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SIZE, BATCH = 128, 8
OWN = ("frozen", "--perceptual-until", "3200")
SMALL = (
    "--generator.base-width 32 --generator.max-width 192 --generator.spade-hidden 48 --generator.style-size 32 "
    "--encoder.base-width 16 --encoder.input-size 128 --perceptual taps"
).split()
"""The widths of our own generator, for the published recipe; VGG19's weights may not be at hand."""
OWN_BUT_DISCRIMINATOR = (
    "--mode any_scale --augment --grey-box.share 0.3 --start".split()
    + ["labels first"]
    + (
        "--generator.norm pixel --generator.start labels+style --generator.share-hidden "
        "--generator.pointwise-from-step 3 --generator.style-in-blocks --generator.noise "
        "--generator.smooth-upsampling --generator.replicate-padding --encoder.no-instance-norm --encoder.antialias "
        "--perceptual-end 3 --perceptual-until 3200 --warmup 200 --ramp 400 --color-weight 20 --no-kl-sum "
        "--random-styles 0.5 --generator-lr 2e-4 --discriminator-lr 3e-4 --beta2 0.99 --decay-from 1 "
        "--ema-decay 0.998 --no-regenerate_for_discriminator --rests"
    ).split()
)
ROWS: dict[str, tuple[str, ...]] = {
    "paper": ("paper-style", "--mode", "resize_and_crop", "--load-size", "143", *SMALL),
    "ours": OWN,
    # the paper's discriminator
    "multiscale": ("paper-style", *SMALL, *OWN_BUT_DISCRIMINATOR),
    # one half of our own: realism at every scale, or the N+1 classes of every pixel
    "heads": (*OWN, "--class-weight", "0"),
    "classes": (*OWN, "--gan-weight", "0"),
    "no-perceptual": (*OWN, "--perceptual-start", "0", "--perceptual-end", "0", "--warmup", "0"),
    "no-augment": (*OWN, "--no-augment"),
    "no-grey-box": (*OWN, "--grey-box.share", "0"),
    "narrow": (*OWN, "--generator.base-width", "24", "--generator.max-width", "128"),
    "wide": (*OWN, "--generator.base-width", "48", "--generator.max-width", "256"),
}


def run(*words: str) -> None:
    subprocess.run([str(Path(sys.executable).with_name("spade")), *words], check=True)


def train(name: str, chosen: argparse.Namespace) -> Path:
    """The model of a row, trained where it is not there yet."""
    folder = chosen.output / name
    model = folder / f"model_{chosen.images:08}.safetensors"
    if not model.is_file():
        run(
            "train", *ROWS[name], "--data", str(chosen.data), "-o", str(folder), "--size", str(SIZE),
            "--batch", str(BATCH), "--images", str(chosen.images), "--save-every", str(chosen.images // 2),
            "--threads", str(chosen.threads),
        )  # fmt: skip
    return model


def measure(models: list[Path], chosen: argparse.Namespace, *more: str) -> dict[str, Any]:
    """What evaluation.json holds."""
    folder = chosen.output / f"evaluation{''.join(more)}"
    segmenter = ("--segmenter", str(chosen.segmenter))
    run(
        "evaluate", "--model", *map(str, models), "--data", str(chosen.data), "-o", str(folder),
        "--size", str(SIZE), *segmenter, *more,
    )  # fmt: skip
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, required=True)
    words.add_argument("--segmenter", type=Path, required=True)
    words.add_argument("-o", "--output", type=Path, required=True)
    words.add_argument("--images", type=int, default=1600)
    words.add_argument("--threads", type=int, default=0)
    chosen = words.parse_args()
    models = [train(name, chosen) for name in ROWS]
    natural, blocked = measure(models, chosen), measure(models, chosen, "--grey-box")
    floor, ceiling = natural["real"]["floor"]["frechet"], natural["real"]["agreement"]
    print(f"\n{chosen.images} photos seen at {SIZE}; features: {natural['protocol']['features']}\n")
    print("recipe        Frechet  ratio  kernel    mIoU  accuracy  diversity  blocked-out: Frechet    mIoU")
    baseline = natural["models"][0]["distance"]["frechet"]
    for name, plain, block in zip(ROWS, natural["models"], blocked["models"], strict=True):
        frechet, agreement = plain["distance"]["frechet"], plain["agreement"]
        print(
            f"{name:<13} {frechet:>7.1f} {frechet / baseline:>6.2f} {plain['distance']['kernel']['mean']:>7.2f} "
            f"{agreement['miou']:>7.3f} {agreement['pixel_accuracy']:>9.3f} {plain['diversity']:>10.2f} "
            f"{block['distance']['frechet']:>21.1f} {block['agreement']['miou']:>7.3f}"
        )
    print(f"{'photos':<13} {floor:>7.1f} {'':>14} {ceiling['miou']:>7.3f} {ceiling['pixel_accuracy']:>9.3f}")


if __name__ == "__main__":
    main()
