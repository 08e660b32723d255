# SPDX-License-Identifier: Apache-2.0
"""The options under which the published code loads a network, where they are not its defaults."""

from __future__ import annotations

from ...model.baselines.pix2pixhd import Pix2PixHDConfig
from ...model.spade import GeneratorConfig
from ..file import Checkpoint
from .labels import published_facts, trained_channels


def published_options(checkpoint: Checkpoint) -> dict[str, str | bool]:
    """By name; True for a switch. checkpoint: of a network that the published code knows."""
    config = checkpoint.generator
    assert isinstance(config, GeneratorConfig | Pix2PixHDConfig)
    classes, dont_care = _classes(checkpoint)
    options: dict[str, str | bool] = {
        "label_nc": str(classes),
        "contain_dontcare_label": dont_care,
        "no_instance": not config.instance_edges,
        "ngf": str(config.base_width),
    }
    if checkpoint.trained_size is not None:
        height, width = checkpoint.trained_size
        options |= {"crop_size": str(width), "aspect_ratio": f"{width / height:g}"}
    spectral = "spectral" * config.spectral
    if isinstance(config, GeneratorConfig):
        options |= {
            "norm_G": f"{spectral}spade{config.norm}{config.spade_kernel}x{config.spade_kernel}",
            "num_upsampling_layers": config.upsampling,
            "use_vae": config.start == "style",
        }
    else:
        options |= {
            "netG": "pix2pixhd",
            "norm_G": f"{spectral}{config.norm}",
            "resnet_n_downsample": str(config.downsamplings),
            "resnet_n_blocks": str(config.blocks),
        }
    return options


def _classes(checkpoint: Checkpoint) -> tuple[int, bool]:
    """How many channels are classes, and whether "don't care" follows them."""
    channels, label_set = checkpoint.label_channels, checkpoint.label_set
    facts = published_facts(label_set)
    if facts is not None and facts.classes is not None and channels == trained_channels(label_set):
        return facts.classes, bool(facts.dont_care)
    last = {channel: id for id, channel in channels.of_ids}.get(channels.count - 1)
    dont_care = last == label_set.ignore_id and last not in {entry.id for entry in label_set.classes}
    return channels.count - dont_care, dont_care


def as_command_line(options: dict[str, str | bool]) -> str:
    """As the published scripts take them."""
    words = [
        f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items() if value
    ]
    return " ".join(words)


def as_text(options: dict[str, str | bool]) -> str:
    """As the published code writes them beside its weights (opt.txt)."""
    lines = [f"{name:>25}: {value!s:<30}" for name, value in sorted(options.items())]
    return "\n".join([f"{' Options ':-^42}", *lines, f"{' End ':-^42}", ""])
