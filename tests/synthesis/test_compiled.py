# SPDX-License-Identifier: Apache-2.0
"""The compiled generator paints what the network paints, for every kind of SPADE generator and of label map."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spade_core.model.convolution import convolution, matrices, row_bands
from spade_core.model.convolution.convolution import Convolution, Shortcut
from spade_core.model.convolution.features import Features
from spade_core.model.convolution.library import has_bfloat16, library
from spade_core.model.convolution.matrices import Matrices
from spade_core.model.layers import conv
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.synthesis.compiled import label_path, patches
from spade_core.synthesis.compiled.generator import CompiledGenerator
from spade_core.synthesis.compiled.keys import KeyMap
from spade_core.synthesis.compiled.patches import Patches
from spade_core.synthesis.compiled.table import Table
from tests.support.published import VARIANTS, recorded

TOLERANCE = 1e-4

needs_compiler = pytest.mark.skipif(library() is None, reason="there is no C compiler, or SPADE_FUSED is 0")
ways = pytest.mark.parametrize("way", ["plain", pytest.param("compiled", marks=needs_compiler)])


@pytest.fixture(autouse=True)
def _as_plain_pytorch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if "way" in request.fixturenames and request.getfixturevalue("way") == "plain":
        for module in (convolution, matrices, patches):
            monkeypatch.setattr(module, "library", lambda: None)


def exactly(network: Generator, planes: Tensor, style: Tensor | None, noise: list[Tensor]) -> Tensor:
    """What the network computes, in double precision."""
    double = copy.deepcopy(network).double()
    code = None if style is None else style.double()
    with torch.no_grad():
        return double(planes.double(), code, [plane.double() for plane in noise])


@ways
@pytest.mark.parametrize("variant", VARIANTS)
def test_recorded_networks_paint_what_was_recorded(variant: str, way: str):
    record = recorded(variant)
    network = Generator(record.generator_config())
    network.load_state_dict(record.weights("G"))
    planes = record.tensor("out/semantics_u8").float()
    style = record.tensor("in/z") if network.config.style_size else None
    compiled = CompiledGenerator(network.eval())
    painted = compiled(compiled.keys(planes), style, [])
    expected = record.tensor("out/G_eval" if style is None else "out/G_given_z")
    assert (painted - expected).abs().max() < TOLERANCE


@dataclass(frozen=True)
class Case:
    config: GeneratorConfig
    size: tuple[int, int]
    map_kind: str
    batch: int
    seed: int


MAPS = ("flat", "halves", "noise", "pixel", "line", "frame", "blocks", "shares")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    share_hidden = draw(st.booleans())
    norm = draw(st.sampled_from(["batch", "syncbatch", "instance", "pixel"]))
    style = draw(st.sampled_from([0, 3]))
    config = GeneratorConfig(
        label_channels=draw(st.sampled_from([1, 2, 5, 40])),
        instance_edges=draw(st.booleans()),
        spectral=draw(st.booleans()),
        style_size=style,
        # Of two channels alone, a pixel norm would make 1 and -1, were their difference a rounding error.
        base_width=draw(st.integers(5 if norm == "pixel" else 1, 9)),
        max_width=24,
        norm=norm,
        upsampling=draw(st.sampled_from(["normal", "normal", "more"])),
        start=draw(st.sampled_from(["labels", "labels+style"])) if style else "labels",
        noise=draw(st.booleans()),
        smooth_upsampling=draw(st.booleans()),
        replicate_padding=draw(st.booleans()),
        label_sampling=draw(st.sampled_from(["nearest", "area"])),
        spade_kernel=draw(st.sampled_from([1, 3, 3, 5])),
        spade_hidden=draw(st.integers(1, 9)),
        share_hidden=share_hidden,
        pointwise_from_step=draw(st.sampled_from([None, 0, 3])),
        style_in_blocks=bool(style) and share_hidden and draw(st.booleans()),
    )
    multiple = 2**5 if config.upsampling == "normal" else 2**6
    smallest = 2 * multiple if norm == "instance" else multiple
    size = draw(st.tuples(*[st.sampled_from([smallest, smallest + 8, 2 * multiple, 3 * multiple])] * 2))
    return Case(config, size, draw(st.sampled_from(MAPS)), draw(st.integers(1, 2)), draw(st.integers(0, 99)))


def network_of(config: GeneratorConfig) -> Generator:
    """With weights under which labels, style and noise all show, and norms have statistics."""
    network = Generator(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.3, 2)
    for name, weight in network.named_parameters():
        if "mlp_" in name and name.endswith("weight"):
            nn.init.kaiming_normal_(weight.data)
        if "noise_strength" in name:
            weight.data.uniform_(-0.5, 0.5)
    return network.eval()


def planes_of(case: Case) -> Tensor:
    """(B, input_channels, H, W)"""
    config, (height, width) = case.config, case.size
    random = np.random.default_rng(case.seed)
    classes = config.label_channels
    first, second = random.integers(0, classes, 2)
    ids = np.full((case.batch, height, width), first)
    if case.map_kind == "halves":
        ids[:, :, width // 3 :] = second
    elif case.map_kind == "noise":
        ids = random.integers(0, classes, ids.shape)
    elif case.map_kind == "pixel":
        ids[:, random.integers(height), random.integers(width)] = second
        ids[:, 0, 0] = second
    elif case.map_kind == "line":
        ids[:, random.integers(height)] = second
    elif case.map_kind == "frame":
        ids[:, [0, -1]] = second
        ids[:, :, [0, -1]] = second
    elif case.map_kind == "blocks":
        ids = np.kron(random.integers(0, classes, (case.batch, 8, 8)), np.ones((1, 16, 16), int))
        ids = ids[:, :height, :width][:, np.minimum(np.arange(height), 127)][
            :, :, np.minimum(np.arange(width), 127)
        ]
    labels = torch.from_numpy(ids)
    planes = one_hot(labels, classes, labels if config.instance_edges else None)
    if case.map_kind == "shares":
        planes[:, :classes, 3 : height // 2] = torch.rand(case.batch, classes, 1, width).softmax(1)
    return planes


@needs_compiler
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_any_spade_generator_paints_any_map_as_the_network_does(case: Case):
    torch.manual_seed(case.seed)
    network, planes = network_of(case.config), planes_of(case)
    style = torch.randn(case.batch, case.config.style_size) if case.config.style_size else None
    noise = network.draw_noise(case.batch, *case.size)
    exact = exactly(network, planes, style, noise)
    compiled = CompiledGenerator(network)
    painted = compiled(compiled.keys(planes), style, noise)
    assert painted.shape == exact.shape
    with torch.no_grad():
        plain = network(planes, style, noise)
    # Instance norms bring what is flat to a spread of one: there, the network's own picture is of rounding errors.
    assume((plain - exact).abs().max() < TOLERANCE / 4)
    assert (painted - exact).abs().max() < TOLERANCE


@needs_compiler
def test_on_pixel_noise_it_errs_no_more_than_pytorch_does():
    """From double precision, by PyTorch's worse order of memory: where every pixel has a neighbourhood of its own."""
    torch.manual_seed(0)
    config = GeneratorConfig(
        label_channels=183, instance_edges=True, base_width=16, spade_hidden=32, spectral=False
    )
    network, ids = network_of(config), torch.randint(0, 183, (1, 128, 128))
    planes = one_hot(ids, 183, ids)
    compiled, last = CompiledGenerator(network), copy.deepcopy(network).to(memory_format=torch.channels_last)
    exact = exactly(network, planes, None, [])
    with torch.no_grad():
        painted = network(planes), last(planes.contiguous(memory_format=torch.channels_last))
    errors = [(each - exact).abs().mean() for each in (*painted, compiled(compiled.keys(planes), None, []))]
    assert errors[2] < 1.3 * max(errors[:2])


@needs_compiler
@pytest.mark.parametrize("few_weights", [0, 2**16])
@pytest.mark.parametrize("replicate_padding", [False, True])
def test_tiles_of_both_sizes_give_the_convolution(
    few_weights: int, replicate_padding: bool, monkeypatch: pytest.MonkeyPatch
):
    """Of maps whose sides are no multiples of a tile, and of channels that fill no register."""
    monkeypatch.setattr(convolution, "FEW_WEIGHTS", few_weights)
    torch.manual_seed(0)
    for fan_in, fan_out, height, width in ((5, 3, 1, 1), (8, 16, 9, 30), (33, 7, 26, 31), (3, 40, 5, 4)):
        layer = conv(fan_in, fan_out, 3)
        x = torch.randn(2, fan_in, height, width).contiguous(memory_format=torch.channels_last)
        features = Features(x, slope=0.2, repeat_edge=replicate_padding)
        with torch.inference_mode():
            by_tiles, _ = Convolution.of(layer)(features)
            plain, _ = Convolution.of(layer).plain(features, None, None, False)
        assert torch.allclose(by_tiles, plain, atol=1e-5)


@needs_compiler
def test_each_channel_may_have_a_slope_of_its_own():
    torch.manual_seed(0)
    layer, x = conv(9, 8, 3), torch.randn(1, 9, 20, 21).contiguous(memory_format=torch.channels_last)
    features = Features(x, slopes=torch.randn(9))
    with torch.inference_mode():
        by_tiles, _ = Convolution.of(layer)(features)
        assert torch.allclose(by_tiles, layer(F.prelu(x, features.slopes)), atol=1e-5)


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16, or there is no C compiler")
@pytest.mark.parametrize("few_weights", [0, 2**16])
def test_in_bfloat16_a_layer_rounds_its_factors_alone(few_weights: int, monkeypatch: pytest.MonkeyPatch):
    """Of odd numbers of channels, too, of which two are multiplied at once; a shortcut beside it."""
    monkeypatch.setattr(convolution, "FEW_WEIGHTS", few_weights)
    torch.manual_seed(0)
    for fan_in, fan_out, height, width in (
        (5, 3, 1, 1),
        (8, 16, 9, 30),
        (33, 7, 26, 31),
        (3, 40, 5, 4),
        (64, 64, 32, 32),
    ):
        layer, shortcut = conv(fan_in, fan_out, 3), conv(fan_in, fan_out, 1, bias=False)
        x = torch.randn(2, fan_in, height, width).contiguous(memory_format=torch.channels_last)
        table = Table(torch.randn(1, height * width, 4 * fan_in), None)
        features = Features(x, table=table, slope=0.2)
        with torch.inference_mode():
            each = Convolution.of(layer)(features, shortcut=Shortcut(shortcut), skip=True, bfloat16=True)
            plain = Convolution.of(layer).plain(features, None, Shortcut(shortcut), True)
        for rounded, exact in zip(each, plain, strict=True):
            assert rounded is not None and exact is not None
            difference, spread = rounded - exact, exact.std() if exact.numel() > 99 else 1.0
            assert 0 < difference.square().mean().sqrt() < 0.03 * spread


@ways
@pytest.mark.parametrize(
    "fan_in, places, width, count, results", [(5, 9, 40, 30, 70), (18, 1, 33, 800, None), (8, 9, 3, 1, 0)]
)
def test_a_result_is_the_sum_of_rows_each_by_the_matrix_of_its_place(
    fan_in: int, places: int, width: int, count: int, results: int | None, way: str
):
    torch.manual_seed(0)
    weight, bias, rows = torch.randn(fan_in, places, width), torch.randn(width), torch.randn(count, fan_in)
    members = None if results is None else torch.randint(0, count, (results, places))
    chosen = torch.arange(count)[:, None] if members is None else members
    expected = torch.einsum("rpi,ipw->rw", rows[chosen].double(), weight.double()) + bias
    found = Matrices(weight, bias)
    assert torch.allclose(found.sums(rows, members).double(), expected, atol=1e-4)
    if way == "compiled" and results != 0 and has_bfloat16():
        rounded = found.sums(rows, members, bfloat16=True) - expected
        assert 0 < rounded.square().mean().sqrt() < 0.01 * expected.std()


@pytest.fixture
def small() -> Generator:
    torch.manual_seed(5)
    return network_of(
        GeneratorConfig(
            label_channels=4, style_size=3, base_width=4, max_width=24, norm="pixel", start="labels+style",
            noise=True, smooth_upsampling=True, replicate_padding=True, label_sampling="area", spade_hidden=6,
            share_hidden=True, pointwise_from_step=3, style_in_blocks=True, spectral=False,
        )
    )  # fmt: skip


def blocks_of(seed: int) -> Tensor:
    """(1, 64, 64) classes."""
    ids = np.random.default_rng(seed).integers(0, 4, (1, 8, 8))
    return torch.from_numpy(np.kron(ids, np.ones((1, 8, 8), int)))


@ways
def test_what_is_kept_of_a_label_map_changes_no_picture(small: Generator, way: str):
    compiled, noise = CompiledGenerator(small), small.draw_noise(1, 64, 64)
    styles = torch.randn(2, 1, 3)
    for ids, style in ((0, 0), (0, 1), (1, 1), (0, 0), (0, 1)):
        keys = compiled.keys_of_classes(blocks_of(ids), None)
        afresh = CompiledGenerator(small)(keys, styles[style], noise)
        assert torch.equal(compiled(keys, styles[style], noise), afresh)


@needs_compiler
def test_what_is_kept_of_a_preview_does_not_get_into_exact_pictures(small: Generator):
    compiled, noise, style = CompiledGenerator(small), small.draw_noise(1, 64, 64), torch.randn(1, 3)
    for seed in (0, 0, 1):  # the same map, and one that has something in common with it
        keys = compiled.keys_of_classes(blocks_of(seed), None)
        for numbers in ("bfloat16", "", "bfloat16"):
            afresh = CompiledGenerator(small)
            with compiled.multiplying(numbers), afresh.multiplying(numbers):
                assert torch.equal(compiled(keys, style, noise), afresh(keys, style, noise))


def moved(left: int, edges: bool = False) -> Tensor:
    """(1, 64, 96) classes: a block, and a smaller one, whose left sides are there, before others that stay."""
    ids = np.kron(np.arange(24).reshape(1, 4, 6) % 3, np.ones((1, 16, 16), int))
    ids[:, 20:42, left : left + 11] = 3
    ids[:, 43, left // 2 :] = left % 3
    return torch.from_numpy(ids)


MOVING = {
    "as the embedded one": GeneratorConfig(
        label_channels=4, style_size=3, base_width=8, max_width=24, norm="pixel", start="labels+style", noise=True,
        smooth_upsampling=True, replicate_padding=True, label_sampling="area", spade_hidden=8, share_hidden=True,
        pointwise_from_step=3, style_in_blocks=True, spectral=False,
    ),
    "as the published ones": GeneratorConfig(
        label_channels=4, instance_edges=True, base_width=8, max_width=24, spade_hidden=8, spectral=False
    ),
    "of an odd width": GeneratorConfig(label_channels=4, base_width=5, max_width=24, spade_hidden=7, spectral=False),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("kind", MOVING)
def test_what_a_label_map_has_in_common_with_the_one_before_changes_no_bit(kind: str):
    torch.manual_seed(0)
    config = MOVING[kind]
    network = network_of(config)
    compiled, noise = CompiledGenerator(network), network.draw_noise(1, 64, 96)
    style = torch.randn(1, 3) if config.style_size else None
    for left in (8, 12, 13, 60, 0, 12):
        ids = moved(left)
        keys = compiled.keys_of_classes(ids, ids if config.instance_edges else None)
        afresh = CompiledGenerator(network)(keys, style, noise)
        assert torch.equal(compiled(keys, style, noise), afresh)


@needs_compiler
def test_of_a_moved_object_only_the_neighbourhoods_that_are_new_are_computed(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    compiled, computed = CompiledGenerator(network_of(MOVING["as the published ones"])), []
    rows = label_path.ScaleShift.rows

    def noted(self: label_path.ScaleShift, hidden: Tensor, members: Tensor, bfloat16: bool) -> Tensor:
        computed.append(len(members))
        return rows(self, hidden, members, bfloat16)

    def rows_of(left: int) -> int:
        computed.clear()
        compiled(compiled.keys_of_classes(moved(left), moved(left)), None, [])
        return sum(computed)

    monkeypatch.setattr(label_path.ScaleShift, "rows", noted)
    all_of_it = rows_of(8)
    assert 0 < rows_of(11) < all_of_it / 2


@needs_compiler
def test_a_picture_that_was_stopped_leaves_nothing_to_the_next(small: Generator, monkeypatch):
    monkeypatch.setattr(row_bands, "BAND_PIXELS", 64)
    compiled, noise, style = CompiledGenerator(small), small.draw_noise(1, 64, 64), torch.randn(1, 3)
    first, second = (compiled.keys_of_classes(blocks_of(seed), None) for seed in (0, 1))
    expected = compiled(second, style, noise)
    for bands in range(1, 30, 7):
        compiled(first, style, noise)
        compiled.after_band = iter([*[None] * bands]).__next__  # type: ignore[assignment]
        with pytest.raises(StopIteration):
            compiled(second, style, noise)
        compiled.after_band = lambda: None
        assert torch.equal(compiled(second, style, noise), expected)


@needs_compiler
def test_several_pictures_at_once_are_what_each_is_alone(small: Generator):
    compiled, styles = CompiledGenerator(small), torch.randn(3, 3)
    noise = small.draw_noise(3, 64, 64)
    keys = [compiled.keys_of_classes(blocks_of(seed), None) for seed in range(3)]
    together = compiled(KeyMap.together(keys), styles, noise)
    for index in range(3):
        part = slice(index, index + 1)
        alone = compiled(keys[index], styles[part], [plane[part] for plane in noise])
        assert (together[part] - alone).abs().max() < 1e-5


@needs_compiler
@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("height, width", [(50, 70), (5, 3)])
def test_neither_threads_nor_bands_change_a_bit(height: int, width: int, bfloat16: bool, monkeypatch):
    """Those of a small map have some of the results each."""
    torch.manual_seed(0)
    x = torch.randn(1, 12, height, width).contiguous(memory_format=torch.channels_last)
    layer, shortcut = Convolution.of(conv(12, 150, 3)), Shortcut(conv(12, 70, 1, bias=False))
    matrices, members = Matrices(torch.randn(6, 9, 100), torch.randn(100)), torch.randint(0, 30, (50, 9))
    table, rows = Table(torch.randn(1, 4 * height * width, 48), None), torch.randn(30, 6)
    features = Features(x, "bilinear", norm="pixel", slope=0.2, table=table)

    def results() -> list[Tensor]:
        found = layer(features, shortcut=shortcut, skip=True, bfloat16=bfloat16)
        without = layer(features, skip=True, bfloat16=bfloat16)
        assert found[1] is not None and without[1] is not None
        return [*found, *without, matrices.sums(rows, members, bfloat16=bfloat16)]  # type: ignore[list-item]

    alone, threads = results(), torch.get_num_threads()
    try:
        for count in (3, 7):
            torch.set_num_threads(count)
            assert all(map(torch.equal, results(), alone))
        monkeypatch.setattr(row_bands, "BAND_PIXELS", 1000)
        assert all(map(torch.equal, results(), alone))
    finally:
        torch.set_num_threads(threads)


@needs_compiler
def test_a_block_alone_gives_what_the_networks_block_gives(small: Generator):
    compiled = CompiledGenerator(small)
    planes = one_hot(blocks_of(2), 4)
    for index, (_, block) in enumerate(small.blocks()):
        x = torch.randn(1, block.conv_0.in_channels, 64, 64)
        style, noise = torch.randn(1, 3), torch.randn(1, 1, 64, 64)
        with torch.no_grad():
            expected = block(x, planes, style, noise)
        assert (compiled.run_block(index, x, planes, style, noise) - expected).abs().max() < TOLERANCE


@ways
def test_equal_neighbourhoods_have_one_id_and_others_another(way: str):
    random = torch.Generator().manual_seed(0)
    keys = torch.randint(0, 3, (2, 9, 14), generator=random, dtype=torch.int32)
    for kernel, repeat_edge in ((3, True), (3, False), (5, True), (5, False)):
        found = Patches.of(keys, kernel, repeat_edge, 1.0)
        each = Patches.of(keys, kernel, repeat_edge, 0.0)
        assert each.ids is None and found.ids is not None
        assert torch.equal(found.members[found.ids.flatten().long()], each.members)
        assert len(found.members.unique(dim=0)) == len(found.members)


def test_gradients_and_other_devices_are_left_to_the_network(small: Generator):
    planes, style, noise = one_hot(blocks_of(0), 4), torch.randn(1, 3), small.draw_noise(1, 64, 64)
    plain = small(planes, style, noise)
    assert CompiledGenerator.inside(small, torch.device("meta")) is None
    CompiledGenerator.inside(small, torch.device("cpu"))
    assert torch.equal(small(planes, style, noise), plain) and plain.requires_grad
    with torch.no_grad():
        assert (small(planes, style, noise) - plain).abs().max() < TOLERANCE
