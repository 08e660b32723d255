# SPDX-License-Identifier: Apache-2.0
"""`spade checkpoint`: what a model file holds; published weights in and out; ONNX for other programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from .checkpoint_hub import Download, ExportHub

if TYPE_CHECKING:
    from ..checkpoint.file import Checkpoint as LoadedCheckpoint

ModelFile = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME_OR_FILE")]
YesNo = Literal["yes", "no"]


@dataclass(frozen=True)
class Info:
    """Say what a checkpoint file holds."""

    file: ModelFile
    """a model by name, a .safetensors checkpoint, or a training's folder"""

    def run(self) -> int:
        from ..checkpoint.file import load_checkpoint
        from ..checkpoint.sources import model_file

        file = model_file(self.file)
        _print_info(file, load_checkpoint(file))
        return 0


@dataclass(frozen=True)
class Import:
    """Turn the weights of the published SPADE or pix2pixHD code into a checkpoint that paints the same."""

    FIRST: ClassVar = (
        "output",
        "preset",
        "epoch",
        "classes",
        "dont_care",
        "edges",
        "label_set",
        "upsampling",
        "aspect_ratio",
        "crop_size",
    )

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR_OR_PTH")]
    """the folder with latest_net_G.pth (and _E, _D), or a generator's .pth alone"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """where the checkpoint goes (.safetensors)"""
    preset: Literal["auto", "coco", "ade20k", "cityscapes"] = "auto"
    """the data it was trained on; auto: by its channels and the opt.txt beside it"""
    epoch: str | None = None
    """which set of a folder, as in 50_net_G.pth, if not the latest"""
    classes: int | None = None
    """of other data: how many classes its labels have"""
    dont_care: YesNo | None = None
    """of other data: whether a channel for "do not care" follows the classes"""
    edges: YesNo | None = None
    """of other data: whether a channel for the borders between instances comes last"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the label set its label maps are made with; other data: class 0, class 1 and so on"""
    upsampling: Literal["normal", "more", "most"] | None = None
    """how often it doubles its start grid: five, six or seven times"""
    aspect_ratio: float | None = None
    """width over height of the pictures it was trained on, if it has a style encoder"""
    crop_size: int | None = None
    """width in pixels of those pictures, if it has no style encoder"""
    ade20k_ids: Literal["raw", "shifted"] = "raw"
    """raw: it was trained on ADE20K's ids as they are, as the published code does; shifted: on ids less one"""

    def run(self) -> int:
        from ..checkpoint.file import save_checkpoint
        from ..checkpoint.reference.facts import Facts
        from ..checkpoint.reference.importing import ImportRequest, import_reference
        from ..contract.errors import CannotWriteError

        if self.output.suffix != ".safetensors":
            raise CannotWriteError(
                f"'{self.output.name}' does not name a checkpoint.", "End it in .safetensors."
            )
        given = Facts(
            self.classes,
            None if self.dont_care is None else self.dont_care == "yes",
            None if self.edges is None else self.edges == "yes",
            self.upsampling,
            self.crop_size,
            self.aspect_ratio,
        )
        request = ImportRequest(self.source, self.preset, given, self.label_set, self.ade20k_ids, self.epoch)
        checkpoint = import_reference(request)
        save_checkpoint(self.output, checkpoint, dtype=None)
        _print_info(self.output, checkpoint)
        return 0


@dataclass(frozen=True)
class Export:
    """Write a model, or a training's state with its discriminator, as .pth files that the published code loads."""

    file: ModelFile
    """a .safetensors checkpoint of a published network, imported or trained here, or a run's state_*.pt"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """the folder for latest_net_G.pth (and _E, _D)"""
    epoch: str = "latest"
    """the first word of the files' names"""

    def run(self) -> int:
        from ..checkpoint.reference.exporting import export_reference
        from ..checkpoint.reference.options import as_command_line, published_options
        from ..checkpoint.reference.trained import exportable
        from ..checkpoint.sources import model_file

        checkpoint = exportable(model_file(self.file))
        for path in export_reference(checkpoint, self.output, self.epoch):
            print(path)
        print(f"for the published code: {as_command_line(published_options(checkpoint))}")
        return 0


@dataclass(frozen=True)
class ExportOnnx:
    """Write a generator as ONNX, for Unity, Unreal or ONNX Runtime, and compare it with PyTorch."""

    file: ModelFile
    """a model by name, a .safetensors checkpoint, or a training's folder"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="MODEL.onnx")]
    """where the network goes"""
    size: Annotated[str | None, tyro.conf.arg(metavar="WIDTHxHEIGHT")] = None
    """of all its pictures, for programs that want one, as in 512x512; without it any multiple of its step will do"""
    opset: int = 18
    """version of the operators, 11 to 18; below 18 only with a size"""

    def run(self) -> int:
        from ..checkpoint.file import load_checkpoint
        from ..checkpoint.onnx_export import export_onnx
        from ..checkpoint.sources import model_file
        from ..contract.errors import CannotWriteError

        if self.output.suffix != ".onnx":
            raise CannotWriteError(f"'{self.output.name}' does not name an ONNX file.", "End it in .onnx.")
        file = model_file(self.file)
        written = export_onnx(load_checkpoint(file), self.output, file.stem, self._size(), self.opset)
        for name, shape in written.shapes.items():
            print(f"{name:<12}{shape}")
        megabytes = self.output.stat().st_size / 1e6
        print(f"{self.output}: {megabytes:.1f} MB, differs from PyTorch by {written.difference:.1g} at most")
        return 0

    def _size(self) -> tuple[int, int] | None:
        """(height, width)"""
        from ..contract.errors import BadOptionError

        if self.size is None:
            return None
        match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", self.size)
        if match is None:
            raise BadOptionError(f"'{self.size}' is no size.", "Write --size 512x512.")
        width, height = match.groups()
        return int(height or width), int(width)


@dataclass(frozen=True)
class AddStyles:
    """Give a model its styles: seeds then draw the light of photos, and names stand for looks that you choose."""

    file: ModelFile
    """a .safetensors checkpoint with a style encoder"""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """photos with label maps of the model's label set: what seeds draw from"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """where the checkpoint with styles goes (.safetensors)"""
    named: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """a folder of pictures: each makes a style of its file's name, golden-hour.jpg for --style golden-hour"""

    def run(self) -> int:
        from ..checkpoint.file import load_checkpoint, save_checkpoint
        from ..checkpoint.sources import model_file
        from ..contract.errors import CannotWriteError
        from ..data.layouts.layouts import find_pairs, own_label_set
        from ..progress import progress_bar
        from ..synthesis.style_collection import pictures_of, with_styles
        from .generate import agreed

        if self.output.suffix != ".safetensors":
            raise CannotWriteError(
                f"'{self.output.name}' does not name a checkpoint.", "End it in .safetensors."
            )
        file = model_file(self.file)
        checkpoint = load_checkpoint(file)
        agreed(own_label_set(self.data), checkpoint.label_set, file.stem)
        pairs = find_pairs(self.data, "train")
        named = {} if self.named is None else pictures_of(self.named)
        with progress_bar() as show:
            styled = with_styles(checkpoint, pairs, named, lambda done, of: show("styles", done, of))
        save_checkpoint(self.output, styled, dtype=None)
        assert styled.styles is not None
        names = ", ".join(style.name for style in styled.styles.named) or "none by name"
        print(f"{self.output}: {len(styled.styles.codes)} styles of photos; {names}")
        return 0


@dataclass(frozen=True)
class Checkpoint:
    """Look into model files; give them styles; bring published weights in and out; write ONNX; share them."""

    action: (
        Annotated[Info, tyro.conf.subcommand("info")]
        | Annotated[Import, tyro.conf.subcommand("import")]
        | Annotated[Export, tyro.conf.subcommand("export")]
        | Annotated[ExportOnnx, tyro.conf.subcommand("export-onnx")]
        | Annotated[ExportHub, tyro.conf.subcommand("export-hub")]
        | Annotated[Download, tyro.conf.subcommand("download")]
        | Annotated[AddStyles, tyro.conf.subcommand("add-styles")]
    )

    def run(self) -> int:
        return self.action.run()


def _print_info(path: Path, checkpoint: LoadedCheckpoint) -> None:
    from ..checkpoint.file import file_digest
    from ..checkpoint.terms import terms_of
    from ..upscaling.names import available
    from ..upscaling.terms import upscaler_terms

    label_set, terms = checkpoint.label_set, terms_of(checkpoint.provenance, path)
    weights = [*checkpoint.generator_weights.values(), *checkpoint.encoder_weights.values()]
    kinds = sorted({str(weight.dtype).removeprefix("torch.") for weight in weights})
    config = checkpoint.generator
    rows = {
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "digest": file_digest(path),
        "label set": f"{label_set.name} ({len(label_set.classes)} classes), {label_set.digest[:12]}",
        "input": f"{config.label_channels} label channels" + ", instance edges" * config.instance_edges,
        "native size": f"{checkpoint.native_size} x {checkpoint.native_size}",
        "trained at": _trained_at(checkpoint),
        "picture size": _picture_size(checkpoint),
        "weights": f"{sum(weight.numel() for weight in weights) / 1e6:.2f} million, {', '.join(kinds)}",
        "generator": config,
        "style encoder": checkpoint.style_encoder or "none",
        "styles": _styles(checkpoint),
        "discriminator": "kept" if checkpoint.discriminator_weights else "none",
        "whose weights": terms.weights,
        "whose data": terms.data,
        "enlarged by": f"{available()[0]}, where nothing else is named. {upscaler_terms(available()[0])}",
        **checkpoint.provenance,
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")


def _trained_at(checkpoint: LoadedCheckpoint) -> str:
    if checkpoint.trained_size is None:
        return "the photos' own sizes"
    height, width = checkpoint.trained_size
    return f"{width} x {height}"


def _styles(checkpoint: LoadedCheckpoint) -> str:
    if checkpoint.styles is None:
        return "drawn from the standard normal"
    names = [style.name for style in checkpoint.styles.named]
    return f"{len(checkpoint.styles.codes)} of photos" + (f"; by name: {', '.join(names)}" if names else "")


def _picture_size(checkpoint: LoadedCheckpoint) -> str:
    from ..checkpoint.reference.networks import fixed_size

    fixed = fixed_size(checkpoint.generator)
    return "any" if fixed is None else f"{fixed[1]} x {fixed[0]}; others are resized from it"
