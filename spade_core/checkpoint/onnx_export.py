# SPDX-License-Identifier: Apache-2.0
"""A checkpoint's generator as an ONNX file, for programs without PyTorch: Unity, Unreal, ONNX Runtime.

The graph takes what a program has at hand, a label map of ids, and gives what it can show:

    labels     (1, H, W) int32: ids of the label set, any other number is unlabelled; H and W multiples of the file's
               `multiple`, or its fixed size
    instances  (1, H, W) int32: one number an object; only where the network looks at instances
    style      (1, Z) float32: a style code, standard normal; only where it has one
    noise_0... (1, 1, h, w) float32, standard normal or zeros; only where it has noise
    image      (1, 3, H', W') float32 in [0, 1]

The metadata say which label set it is, and the rest that has to be known. Nothing is added around the map here, as
Synthesizer does so that the border looks like the rest.

Engines want one size, and know older operators only. PyTorch's exporter writes OPSET at the oldest, and what converts
its files fails at their padding; so the graph is taken down for one size first, and then by the exporter before it,
which knows older ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.errors import BadOptionError, CannotWriteError, InternalError, UnavailableError
from ..contract.limits import LARGEST_SIDE
from ..files import replacing
from ..model.interface import ImageGenerator
from .file import Checkpoint
from .folding import fold_spectral_norms

if TYPE_CHECKING:
    import onnx

OPSET, OLDEST_OPSET = 18, 11

TOLERANCE = 1e-3
"""A quarter of a step of 8-bit colour. Most networks agree within 1e-6; ONNX Runtime sums up a layer norm over a whole
picture, as in cascaded refinement, less exactly."""


class PaintFromIds(nn.Module):
    """The network between what a program has and what it can show; the inputs in the module's order, those it has."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.generator: ImageGenerator = checkpoint.build_generator()
        fold_spectral_norms(self.generator)
        config = checkpoint.generator
        self.edges, self.style_size = config.instance_edges, config.style_size
        channels = checkpoint.label_channels
        of_ids = dict(channels.of_ids)
        # The last row is for what is no id of the set: as good as unlabelled.
        self.unknown = max(of_ids) + 1
        ignored = of_ids[checkpoint.label_set.ignore_id]
        table = np.array([of_ids.get(id, ignored) for id in range(self.unknown + 1)], np.int32)
        self.channel_of_id: Tensor
        self.every_channel: Tensor
        self.register_buffer("channel_of_id", torch.from_numpy(table))
        self.register_buffer("every_channel", torch.arange(channels.count, dtype=torch.int32)[:, None, None])

    def forward(self, *inputs: Tensor) -> Tensor:
        labels, *rest = inputs
        ids = torch.where(labels < 0, self.unknown, labels).clamp(max=self.unknown)
        channels = F.embedding(ids.long(), self.channel_of_id[:, None]).squeeze(-1)
        semantic = (channels[:, None] == self.every_channel).float()
        if self.edges:
            semantic = torch.cat([semantic, _edges(rest.pop(0)[:, None])], 1)
        style = rest.pop(0) if self.style_size else None
        return self.generator(semantic, style, rest) * 0.5 + 0.5

    def examples(self, rows: int, columns: int) -> dict[str, Tensor]:
        """Random inputs by name, for so many times the smallest step of a picture's sides."""
        step = self.generator.multiple
        return self.examples_of(self.generator.fixed_size or (rows * step, columns * step))

    def examples_of(self, size: tuple[int, int]) -> dict[str, Tensor]:
        """Random inputs by name for a picture of (height, width)."""
        generator, (height, width) = self.generator, size
        labels = torch.randint(len(self.channel_of_id), (1, height, width), dtype=torch.int32)
        inputs = {"labels": labels}
        if self.edges:
            inputs["instances"] = torch.randint(3, (1, height, width), dtype=torch.int32)
        if self.style_size:
            inputs["style"] = torch.randn(1, self.style_size)
        planes = generator.draw_noise(1, height, width)
        return inputs | {f"noise_{index}": plane for index, plane in enumerate(planes)}


def _edges(objects: Tensor) -> Tensor:
    """As model.semantic_input.instance_edges, without writing into slices, which other runtimes do not know."""
    across = (objects[..., :, 1:] != objects[..., :, :-1]).float()
    down = (objects[..., 1:, :] != objects[..., :-1, :]).float()
    return torch.maximum(
        torch.maximum(F.pad(across, (1, 0)), F.pad(across, (0, 1))),
        torch.maximum(F.pad(down, (0, 0, 1, 0)), F.pad(down, (0, 0, 0, 1))),
    )


@dataclass(frozen=True)
class Written:
    """What is in the file."""

    shapes: dict[str, str]
    """Of inputs and output by name, for people."""
    difference: float
    """The largest between the pictures of ONNX Runtime and PyTorch."""


def export_onnx(
    checkpoint: Checkpoint,
    path: Path,
    name: str,
    size: tuple[int, int] | None = None,
    opset: int = OPSET,
) -> Written:
    """Write the file, after comparing what it paints in ONNX Runtime with PyTorch.

    size: (height, width) of all its pictures; None lets them have any where the network does. opset: version of the
    operators, OLDEST_OPSET to OPSET; an older one than OPSET needs a size.
    Raises UnavailableError without the onnx extra, BadOptionError, InternalError where they differ by more than
    TOLERANCE, and CannotWriteError.
    """
    if any(importlib.util.find_spec(package) is None for package in ("onnx", "onnxruntime", "onnxscript")):
        raise UnavailableError("ONNX is not installed.", "Run: pip install 'spade-backdrops[onnx]'")
    if not path.parent.is_dir():
        raise CannotWriteError(f"There is no folder {path.parent}.", "Make it first, or choose another one.")
    import onnx

    network = PaintFromIds(checkpoint).eval()
    size = _checked_size(network.generator, size, opset)
    smallest = -(-network.generator.smallest_side // network.generator.multiple)
    model = _translated(network, smallest) if size is None else _of_one_size(network, size, opset)
    onnx.helper.set_model_props(model, _metadata(checkpoint, network, name, size))
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    sizes = [(smallest + 1, smallest + 2), (smallest + 2, smallest)]
    examples = [network.examples(*each) for each in sizes] if size is None else [network.examples_of(size)]
    difference = max(_compared(content, network, inputs) for inputs in examples)
    if not difference < TOLERANCE:
        raise InternalError(
            f"ONNX Runtime paints another picture than PyTorch (they differ by {difference:.1g}).",
            "Report it with the versions of torch, onnx and onnxruntime; the file was not written.",
        )
    _write(content, path)
    return Written(_shapes(model), difference)


def _translated(network: PaintFromIds, smallest: int) -> onnx.ModelProto:
    """The ONNX graph, with sides that may change where the network allows it."""
    inputs = network.examples(
        smallest + 1, smallest + 2
    )  # two different ones: equal ones would be tied together
    with _quiet():
        program = torch.onnx.export(
            network,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["image"],
            opset_version=OPSET,
            dynamic_shapes=(_dynamic_shapes(network, inputs, smallest),),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _dynamic_shapes(
    network: PaintFromIds, inputs: dict[str, Tensor], smallest: int
) -> tuple[dict[int, Any], ...]:
    """Of every input the axes that change, as multiples of the number of steps in a picture's height and width."""
    if network.generator.fixed_size is not None:
        return ({},) * len(inputs)
    most = LARGEST_SIDE // network.generator.multiple
    rows, columns = (torch.export.Dim(axis, min=smallest, max=most) for axis in ("rows", "columns"))
    return tuple(
        {}
        if tensor.dim() == 2
        else {
            tensor.dim() - 2: tensor.shape[-2] // (smallest + 1) * rows,
            tensor.dim() - 1: tensor.shape[-1] // (smallest + 2) * columns,
        }
        for tensor in inputs.values()
    )


def _checked_size(
    generator: ImageGenerator, size: tuple[int, int] | None, opset: int
) -> tuple[int, int] | None:
    """The one size of all pictures, if there is one. Raises BadOptionError."""
    if not OLDEST_OPSET <= opset <= OPSET:
        raise BadOptionError(f"Opset {opset} cannot be written.", f"Use {OLDEST_OPSET} to {OPSET}.")
    fixed, step = generator.fixed_size, generator.multiple
    if size is None:
        if opset < OPSET and fixed is None:
            raise BadOptionError(
                f"Opset {opset} can be written for one size only.",
                "Name it with --size, as in --size 512x512.",
            )
        return fixed if opset < OPSET else None
    if fixed is not None and size != fixed:
        raise BadOptionError(f"This network paints {fixed[1]} x {fixed[0]} pixels only.", "Leave --size out.")
    if fixed is None and any(
        side % step or not generator.smallest_side <= side <= LARGEST_SIDE for side in size
    ):
        raise BadOptionError(
            f"This network cannot paint {size[1]} x {size[0]} pixels as they are.",
            f"Choose multiples of {step}, from {generator.smallest_side} to {LARGEST_SIDE}.",
        )
    return size


class _TakenDown(nn.Module):
    """A graph with all its sizes in it, which the older exporter would not take for constants."""

    def __init__(self, network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        super().__init__()
        graph = torch.export.export(network, inputs).module()
        self._run = [graph]  # in a list: the exporter would change its mode, which it does not know

    def forward(self, *inputs: Tensor) -> Tensor:
        return self._run[0](*inputs)


def _of_one_size(network: PaintFromIds, size: tuple[int, int], opset: int) -> onnx.ModelProto:
    import onnx

    inputs = network.examples_of(size)
    tensors = tuple(inputs.values())
    written = io.BytesIO()
    with _quiet():
        if opset == OPSET:
            program = torch.onnx.export(
                network,
                tensors,
                input_names=list(inputs),
                output_names=["image"],
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
            assert program is not None
            return program.model_proto
        torch.onnx.export(
            _TakenDown(network, tensors).eval(),
            tensors,
            written,  # type: ignore[arg-type]  # it takes files too
            input_names=list(inputs),
            output_names=["image"],
            opset_version=opset,
            dynamo=False,
        )
    return onnx.load_from_string(written.getvalue())


def _compared(content: bytes, network: PaintFromIds, inputs: dict[str, Tensor]) -> float:
    """The largest difference between the runtimes on these inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(*inputs.values()).numpy()
    [image] = session.run(None, {key: value.numpy() for key, value in inputs.items()})
    return float(np.abs(image - expected).max())


def _shapes(model: onnx.ModelProto) -> dict[str, str]:
    types = {value.name: value.type.tensor_type for value in [*model.graph.input, *model.graph.output]}
    axes = {
        name: [axis.dim_param or str(axis.dim_value) for axis in kind.shape.dim]
        for name, kind in types.items()
    }
    return {
        name: f"{'float32' if types[name].elem_type == 1 else 'int32'} ({', '.join(axes[name])})"
        for name in types
    }


def _metadata(
    checkpoint: Checkpoint, network: PaintFromIds, name: str, size: tuple[int, int] | None
) -> dict[str, str]:
    fixed = network.generator.fixed_size or size
    return {
        "name": name,
        "label_set": checkpoint.label_set.to_toml(),
        "label_set_digest": checkpoint.label_set.digest,
        "native_size": str(checkpoint.native_size),
        "multiple": str(network.generator.multiple),
        "fixed_size": "" if fixed is None else f"{fixed[0]} {fixed[1]}",
        "provenance": json.dumps(checkpoint.provenance, ensure_ascii=False),
    }


def _write(content: bytes, path: Path) -> None:
    with replacing(path) as part:
        part.write_bytes(content)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of packages that are not needed here, and of itself."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
