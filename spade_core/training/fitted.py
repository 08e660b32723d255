# SPDX-License-Identifier: Apache-2.0
"""Defaults that fit the data, the device and the model a run begins with. What a person names is never changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import torch
from PIL import Image

from ..checkpoint.file import load_checkpoint
from ..checkpoint.reference.labels import published_facts
from ..contract.errors import BadImageError
from ..data.layouts.layouts import find_pairs, label_set_of, layout_of
from ..data.pairs import Pair
from ..model.config import DecoderConfig
from ..runtime import chosen_device, fastest_dtype
from .config import TrainingConfig
from .recipe import Recipe
from .state import begun_with_own_channels

EPOCHS_ON_CPU, EPOCHS_ON_GPU, EPOCHS_AS_PUBLISHED = 10, 200, 200
FEWEST_IMAGES, MOST_IMAGES = 8_000, 2_000_000
LOOKED_AT = 100
"""Photos whose size is read."""
SMALL_GPU = 12 << 30


def fitted(config: TrainingConfig) -> TrainingConfig:
    """The configuration to take defaults from. Raises what finding the pairs and reading the model raise."""
    pairs = find_pairs(config.data, "train", config.layout)
    device = chosen_device(config.device)
    if config.recipe.crops.mode == "any_scale":
        config = replace(config, recipe=_own(config.recipe, pairs, device))
        epochs = EPOCHS_ON_CPU if device.type == "cpu" else EPOCHS_ON_GPU
    else:
        config = replace(config, recipe=_as_published(config))
        epochs = EPOCHS_AS_PUBLISHED
    if config.start_from is not None and config.start_from.suffix != ".pt":
        config = replace(config, recipe=_of_model(config))
    images = min(max(epochs * len(pairs), FEWEST_IMAGES), MOST_IMAGES)
    batch = config.recipe.crops.batch
    # An epoch of emulated bfloat16 takes as long as ten of float32.
    bf16 = device.type != "cpu" or fastest_dtype(device) == torch.bfloat16
    return replace(config, images=images, save_every=max(images // 20 // batch, 1) * batch, bf16=bf16)


def _own(recipe: Recipe, pairs: list[Pair], device: torch.device) -> Recipe:
    """Our own recipes: squares that the photos fill, as many as the device takes."""
    size, batch = (128, 8) if device.type == "cpu" else (256, 32)
    if device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory < SMALL_GPU:
        batch = 8
    while size > 64 and size > _short_side(pairs):
        size //= 2
    fewest = max(1, 1 << (len(pairs).bit_length() - 1))
    return replace(recipe, crops=replace(recipe.crops, size=size, batch=min(batch, fewest)))


def _short_side(pairs: list[Pair]) -> int:
    """The middle one of some photos' short sides."""
    sides = []
    for pair in islice(pairs, 0, None, max(1, len(pairs) // LOOKED_AT)):
        try:
            with Image.open(pair.image) as photo:  # only the header is read
                sides.append(min(photo.size))
        except OSError:
            raise BadImageError(
                f"{pair.image} is damaged, or no picture.", "Replace it, or take it out."
            ) from None
    return sorted(sides)[len(sides) // 2]


def _as_published(config: TrainingConfig) -> Recipe:
    """The published recipes: photos are cut as the reference cuts this data set, and the networks are its networks for
    it: label channels, instance edges, upsampling."""
    layout, recipe = layout_of(config.data, config.layout), config.recipe
    way = layout.preprocess
    crops = replace(
        recipe.crops, mode=way.mode, load_size=way.load_size, size=way.crop_size, aspect=way.aspect
    )
    recipe = replace(recipe, crops=crops)
    if recipe.channels == "own":
        return recipe
    if begun_with_own_channels(config.output):
        return replace(recipe, channels="own")
    facts = published_facts(label_set_of(config.data, config.layout, config.label_set))
    if facts is None or not layout.label_set:
        return recipe
    generator = replace(recipe.generator, instance_edges=bool(facts.edges) and config.instances)
    if isinstance(generator, DecoderConfig) and facts.upsampling is not None:
        generator = replace(generator, upsampling=facts.upsampling)
    return replace(recipe, generator=generator)


def _of_model(config: TrainingConfig) -> Recipe:
    """The networks of the model that the run begins with; the label set still fills in the label channels."""
    assert config.start_from is not None
    held, recipe = load_checkpoint(config.start_from), config.recipe
    generator = replace(held.generator, spectral=recipe.generator.spectral)
    encoder = recipe.encoder if held.generator.style_size else None
    if held.style_encoder is not None and recipe.encoder is not None:
        encoder = replace(held.style_encoder, spectral=recipe.encoder.spectral)
    return replace(recipe, generator=generator, encoder=encoder)
