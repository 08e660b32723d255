# SPDX-License-Identifier: Apache-2.0
"""How long a picture takes: the plain network, engines that are installed, and the compiled generator.

python -m benchmarks.synthesis [--model embedded coco] [--size 256 512] [--map median hard] [--threads 1] [--rounds 7]
    [--bf16] [--no-engines]

All are timed in turns in one process, so that whatever else the machine does hits each alike; a ratio is that of two
neighbours, plain : system, its median over the rounds and the smallest and largest. Seconds are of the processor with
one thread, else of the clock (--wall: always). "coco" is the published network for COCO-Stuff (184 input channels, 97
million weights) with random weights, batch norms settled on the median map. Maps are made here: "median" has as many
different neighbourhoods as photos' label maps have at the median, "hard" several times as many, "noise" a class at
random in every pixel, which no picture has. OpenVINO and ONNX Runtime are measured where they are installed.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from server.worker.memory import peak_of
from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.folding import plain_state
from spade_core.checkpoint.sources import model_file
from spade_core.model.semantic_input import instance_edges, one_hot
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.runtime import keep_freed_memory
from spade_core.synthesis.compiled.generator import CompiledGenerator
from spade_core.synthesis.compiled.keys import KeyMap
from spade_core.synthesis.compiled.patches import Patches

ROUGHNESS = {"median": 0.02, "hard": 0.12}
CLASSES_SEEN = 12


@dataclass(frozen=True, eq=False)
class Inputs:
    """Of one picture."""

    classes: Tensor
    planes: Tensor
    style: Tensor | None
    noise: list[Tensor]

    def tensors(self) -> tuple[Tensor, ...]:
        return self.planes, *([] if self.style is None else [self.style]), *self.noise


Painting = Callable[[Inputs], Tensor]


def label_map(kind: str, side: int, classes: int, seed: int) -> np.ndarray:
    """(side, side) int64: smooth regions with rough borders."""
    random = np.random.default_rng(seed)
    if kind == "noise":
        return random.integers(0, classes, (side, side))
    torch.manual_seed(seed)
    fields = torch.zeros(1, min(CLASSES_SEEN, classes), side, side)
    for cells, weight in ((4, 1.0), (16, 0.3), (side // 4, ROUGHNESS[kind])):
        rough = torch.randn(1, fields.shape[1], cells, cells)
        fields += weight * F.interpolate(rough, (side, side), mode="bicubic")
    ids = random.permutation(classes)[: fields.shape[1]]
    return ids[fields.argmax(1)[0].numpy()]


def with_object(ids: np.ndarray, left: int) -> np.ndarray:
    """A block of another class stands in it, whose left side is there."""
    side = len(ids)
    moved = ids.copy()
    moved[side // 3 : side // 2, left % (side // 2) : left % (side // 2) + side // 6] = ids[0, 0]
    return moved


def inputs_of(network: Generator, ids: np.ndarray, seed: int) -> Inputs:
    classes, config = torch.from_numpy(ids)[None], network.config
    random = torch.Generator().manual_seed(seed)
    style = torch.randn(1, config.style_size, generator=random) if config.style_size else None
    planes = one_hot(classes, config.label_channels, classes if config.instance_edges else None)
    return Inputs(classes, planes, style, network.draw_noise(1, ids.shape[0], ids.shape[1], random))


def embedded() -> Generator:
    network = load_checkpoint(model_file("landscape")).build_generator()
    assert isinstance(network, Generator)
    return network


def coco() -> Generator:
    torch.manual_seed(0)
    network = Generator(GeneratorConfig(label_channels=183, instance_edges=True))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean of what it has seen
    seen = inputs_of(network, label_map("median", 256, 183, 0), 0)
    with torch.no_grad():
        network.train()(seen.planes)
    return network.eval()


def systems(
    network: Generator, seen: Inputs, autocast: bool, engines: bool
) -> Iterator[tuple[str, Painting]]:
    """Names, and what paints; the first is the plain network."""
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ours = CompiledGenerator(_folded(network).to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    yield "plain", lambda seen: network(seen.planes, seen.style, seen.noise)
    yield "channels_last", lambda seen: last(_channels_last(seen.planes), seen.style, seen.noise)
    if autocast:

        def in_bf16(seen: Inputs) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return last(_channels_last(seen.planes), seen.style, seen.noise).float()

        yield "bf16 channels_last", in_bf16
    folded = _Positional(_folded(network))
    if engines and find_spec("onnxruntime") and find_spec("onnxscript"):
        yield "ONNX Runtime", _onnx_runtime(folded, seen)
    if engines and find_spec("openvino"):
        yield "OpenVINO f32", _openvino(folded, seen, "f32")
        yield "OpenVINO bf16", _openvino(folded, seen, "bf16")

    def exact(seen: Inputs) -> Tensor:
        edges = instance_edges(seen.classes[:, None]) if network.config.instance_edges else None
        keys = KeyMap.of_classes(seen.classes, network.config.label_channels, edges)
        return ours(keys, seen.style, seen.noise)

    yield "ours", exact
    yield "ours, new style", exact
    yield "ours, moved object", exact


def _folded(network: Generator) -> Generator:
    """Another, with its spectral norms in its weights."""
    folded = Generator(replace(network.config, spectral=False))
    folded.load_state_dict(plain_state(network))
    return folded.eval()


def _channels_last(planes: Tensor) -> Tensor:
    return planes.contiguous(memory_format=torch.channels_last)


class _Positional(nn.Module):
    """With all inputs by position, as exporters like them."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.network = network

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
    model = openvino.convert_model(network, example_input=given, input=[tuple(each.shape) for each in given])
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


def maps_of(name: str, ids: np.ndarray, count: int) -> list[np.ndarray]:
    """What a system is given, one round after the other."""
    if name == "ours, moved object":
        return [with_object(ids, 8 * step) for step in range(count)]
    return [ids if step % 2 else np.ascontiguousarray(ids[:, ::-1]) for step in range(count)]


def measured(
    network: Generator,
    kind: str,
    side: int,
    rounds: int,
    clock: Callable[[], float],
    autocast: bool,
    engines: bool,
) -> None:
    ids = label_map(kind, side, network.config.label_channels, 1)
    first = inputs_of(network, ids, 0)
    with torch.no_grad():
        painted = dict(systems(network, first, autocast, engines))
    with torch.inference_mode():
        exact = painted["plain"](first)
        given = {
            name: [inputs_of(network, each, step) for step, each in enumerate(maps_of(name, ids, rounds))]
            for name in painted
        }
        differences, memory = {}, {}
        for name, paint in painted.items():
            differences[name] = float((paint(first) - exact).abs().max())
            memory[name] = peak_of(lambda: paint(given[name][0]), "cpu") / 2**20  # noqa: B023
        seconds: dict[str, list[float]] = {name: [] for name in painted}
        for step in range(rounds):
            for name, paint in painted.items():
                seen = given[name][step]
                if name == "ours, new style":
                    paint(first)
                    seen = inputs_with_style(first, step)
                began = clock()
                paint(seen)
                seconds[name].append(clock() - began)
    for name, times in seconds.items():
        ratios = np.array(seconds["plain"]) / np.array(times)
        print(
            f"{kind:<7} {side:>5}  {name:<20} {np.median(times):>8.3f}  {np.median(ratios):>6.2f} "
            f"({ratios.min():.2f}-{ratios.max():.2f})  {memory[name]:>7.0f}  {differences[name]:.1e}",
            flush=True,
        )


def inputs_with_style(seen: Inputs, seed: int) -> Inputs:
    """Another style of the same map; a network without one paints the same again."""
    if seen.style is None:
        return seen
    random = torch.Generator().manual_seed(1000 + seed)
    return Inputs(seen.classes, seen.planes, torch.randn(seen.style.shape, generator=random), seen.noise)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", nargs="+", default=["embedded"], choices=["embedded", "coco"])
    words.add_argument("--size", nargs="+", type=int, default=[256, 512])
    words.add_argument("--map", nargs="+", default=["median", "hard"], choices=["median", "hard", "noise"])
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--wall", action="store_true")
    words.add_argument(
        "--bf16", action="store_true", help="autocast, too: slow where the processor has no bfloat16"
    )
    words.add_argument("--no-engines", action="store_true", help="neither ONNX Runtime nor OpenVINO")
    chosen = words.parse_args()
    keep_freed_memory()  # as the server and the command line do
    torch.set_num_threads(chosen.threads)
    clock = time.perf_counter if chosen.wall or chosen.threads > 1 else time.process_time
    print(f"{chosen.threads} threads, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    for model in chosen.model:
        network = embedded() if model == "embedded" else coco()
        print(
            f"\n{model}\nmap      size  system                seconds   ratio (from-to)         MiB  difference"
        )
        for kind in chosen.map:
            for side in chosen.size:
                keys = torch.from_numpy(label_map(kind, side, network.config.label_channels, 1))[None].int()
                new = len(Patches.of(keys, 3, True, 1.0).members) / keys.numel()
                print(f"(of all 3x3 neighbourhoods {new:.1%} are different ones)")
                measured(network, kind, side, chosen.rounds, clock, chosen.bf16, not chosen.no_engines)


if __name__ == "__main__":
    main()
