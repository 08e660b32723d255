# SPDX-License-Identifier: Apache-2.0
"""What paints: plain PyTorch, PyTorch otherwise, engines, and the compiled generator."""

from __future__ import annotations

import contextlib
import copy
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from spade_core.checkpoint.folding import plain_state
from spade_core.model.convolution.library import has_bfloat16, library
from spade_core.model.semantic_input import instance_edges
from spade_core.model.spade import Generator
from spade_core.synthesis.compiled.generator import CompiledGenerator
from spade_core.synthesis.compiled.keys import KeyMap

from .inputs import Inputs

Painting = Callable[[Inputs], Tensor]
EXACT, PREVIEW = "ours", "preview"
NEW_STYLE, MOVED_OBJECT = ", new style", ", moved object"
OURS = tuple(kind + what for kind in (EXACT, PREVIEW) for what in ("", NEW_STYLE, MOVED_OBJECT))
SYSTEMS = (
    "plain", "channels_last", "torch.compile", "ONNX Runtime", "OpenVINO f32", "bf16 channels_last", "OpenVINO bf16",
    *OURS,
)  # fmt: skip
"""In the order of the table; the first is what the others are compared with."""


def has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 by itself."""
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False))


def why_not(system: str) -> str:
    """Why this system cannot be measured here, in a sentence; empty where it can."""
    if system == "torch.compile" and not shutil.which("g++"):
        return "torch.compile needs a C++ compiler, and there is no g++."
    if system == "ONNX Runtime" and not (find_spec("onnxruntime") and find_spec("onnxscript")):
        return "ONNX Runtime is not installed: pip install 'spade-backdrops[onnx]'."
    if system.startswith("OpenVINO") and not find_spec("openvino"):
        return "OpenVINO is not installed: pip install openvino."
    if "bf16" in system and not has_bf16():
        return f"{system}: this processor has no bfloat16, and imitates it slowly."
    if system in OURS and library() is None:
        return "The compiled generator needs a C compiler."
    if system.startswith(PREVIEW) and not has_bfloat16():
        return f"{system}: where a processor has no bfloat16, a preview is the exact picture."
    return ""


def system(name: str, network: Generator, seen: Inputs) -> Painting:
    """What paints under this name, for maps of the size of `seen`: all but OURS."""
    if name == "plain":
        return lambda seen: network(seen.planes, seen.style, seen.noise)
    if name == "ONNX Runtime":
        return _onnx_runtime(_Positional(_folded(network)), seen)
    if name.startswith("OpenVINO"):
        return _openvino(_Positional(_folded(network)), seen, name.split()[1])
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if name == "torch.compile":
        last = torch.compile(last, dynamic=False)

    def paint(seen: Inputs) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in name):
            planes = seen.planes.contiguous(memory_format=torch.channels_last)
            return last(planes, seen.style, seen.noise).float()

    return paint


def ours(network: Generator) -> dict[str, Painting]:
    """Exact pictures and previews by one compiled generator, which keeps what it knows of labels for both."""
    compiled = CompiledGenerator(_folded(network).to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    def paint(numbers: str, seen: Inputs) -> Tensor:
        edges = instance_edges(seen.classes[:, None]) if network.config.instance_edges else None
        keys = KeyMap.of_classes(seen.classes, network.config.label_channels, edges)
        with compiled.multiplying(numbers):
            return compiled(keys, seen.style, seen.noise)

    return {EXACT: partial(paint, ""), PREVIEW: partial(paint, "bfloat16")}


def _folded(network: Generator) -> Generator:
    """Another, with its spectral norms in its weights."""
    folded = Generator(replace(network.config, spectral=False))
    folded.load_state_dict(plain_state(network))
    return folded.eval()


class _Positional(nn.Module):
    """With all inputs by position, as exporters like them."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, planes: Tensor, *others: Tensor) -> Tensor:
        styled = bool(self.network.config.style_size)
        return self.network(planes, others[0] if styled else None, list(others[int(styled) :]))


def _onnx_runtime(network: nn.Module, seen: Inputs) -> Painting:
    import onnxruntime

    file = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(network, seen.tensors(), dynamo=True, opset_version=18, verbose=False)
    assert program is not None
    file.write(program.model_proto.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def paint(seen: Inputs) -> Tensor:
        given = (tensor.numpy() for tensor in seen.tensors())
        return torch.from_numpy(session.run(None, dict(zip(names, given, strict=False)))[0])  # type: ignore[arg-type]

    return paint


def _openvino(network: nn.Module, seen: Inputs, precision: str) -> Painting:
    import openvino  # type: ignore[import-not-found]

    given = seen.tensors()
    model: Any = openvino.convert_model(
        network, example_input=given, input=[tuple(each.shape) for each in given]
    )
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    return lambda seen: torch.from_numpy(compiled([each.numpy() for each in seen.tensors()])[0].copy())
