# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels drawn by the graphics card: few calls however many things there are.

Where each thing stands lies in a texture, so a thing that moves costs no geometry: small things are drawn together in
one call, those with many points, or that stand very often, in one call a shape.
"""

from __future__ import annotations

import numpy as np
from mathutils import Matrix

from ..label_image.colors import Rgb
from .card import Batch, Shader, Texture, gpu, quad
from .shapes import Placed, Shape

_ROW = 1024
"""Things in a row of the texture; each takes four texels: three rows of its matrix, and its place in the palette."""
_ONCE, _OFTEN = 50_000, 4_000
"""Points of all its copies together from which on a shape that stands once, or often, is not copied with others."""

_VERTEX = """
void main()
{
  int index = first + int(thing) + gl_InstanceID;
  ivec2 at = ivec2((index % 1024) * 4, index / 1024);
  vec4 place = vec4(pos, 1.0);
  vec4 world = vec4(dot(texelFetch(things, at, 0), place),
                    dot(texelFetch(things, at + ivec2(1, 0), 0), place),
                    dot(texelFetch(things, at + ivec2(2, 0), 0), place),
                    1.0);
  float own = texelFetch(things, at + ivec2(3, 0), 0).x;
  shade = vec4(texelFetch(palette, ivec2(int(mark < 0.0 ? own : mark), 0), 0).rgb, opacity);
  gl_Position = projection * world;
}
"""
_FRAGMENT = "void main() { color = shade; }"


class LabelBatches:
    """What was read of a scene, on the graphics card."""

    def __init__(self, placed: Placed, palette: np.ndarray):
        """`palette`: (n, 3) uint8 colours, the last one for what has no label."""
        self._shader = _shader()
        self._calls: list[tuple[Batch, int, int]] = []
        self._order: list[int] = []
        self._palette = _texture(_padded_colors(palette))
        times = [len(each) for each in placed.matrices]
        together = [at for at, shape in enumerate(placed.shapes) if _is_drawn_together(shape, times[at])]
        alone = sorted(set(range(len(placed.shapes))).difference(together))
        self._order = together + alone
        if together:
            shapes, copies = [placed.shapes[at] for at in together], [times[at] for at in together]
            self._calls.append((_batch(shapes, copies), 0, 1))
        first = sum(times[at] for at in together)
        for at in alone:
            self._calls.append((_batch([placed.shapes[at]], [1]), first, times[at]))
            first += times[at]
        self.place(placed)

    def place(self, placed: Placed) -> None:
        """The same shapes stand elsewhere, or are labelled otherwise."""
        matrices = [placed.matrices[at] for at in self._order]
        classes = [placed.classes[at] for at in self._order]
        count = sum(map(len, classes))
        rows = max(1, -(-count // _ROW))
        things = np.zeros((rows * _ROW, 4, 4), np.float32)
        if count:
            things[:count, :3] = np.concatenate(matrices)[:, :3]
            things[:count, 3, 0] = np.concatenate(classes)
        self._things = _texture(things.reshape(rows, _ROW * 4, 4))

    def draw(self, projection: Matrix, background: Rgb, opacity: float) -> None:
        """Draw over what the bound frame buffer holds, but for its depth, which is written anew.

        First the depth alone, so that of surfaces behind each other only the nearest lends its colour.
        """
        frame = gpu.state.active_framebuffer_get()
        frame.clear(depth=1.0)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(True)
        gpu.state.color_mask_set(False, False, False, False)
        self._draw_things(projection, opacity)
        gpu.state.color_mask_set(True, True, True, True)
        gpu.state.depth_mask_set(False)
        gpu.state.blend_set("ALPHA")
        self._draw_things(projection, opacity)
        _draw_background(background, opacity)
        gpu.state.blend_set("NONE")
        gpu.state.depth_test_set("NONE")

    def _draw_things(self, projection: Matrix, opacity: float) -> None:
        self._shader.bind()
        self._shader.uniform_float("projection", projection)
        self._shader.uniform_float("opacity", opacity)
        self._shader.uniform_sampler("things", self._things)
        self._shader.uniform_sampler("palette", self._palette)
        for batch, first, count in self._calls:
            self._shader.uniform_int("first", first)
            batch.draw_instanced(self._shader, instance_start=0, instance_count=count)


def _draw_background(rgb: Rgb, opacity: float) -> None:
    """Colour what is as far as can be: past everything."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    corners = ((-1.0, -1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))
    batch = quad(shader, pos=corners)
    with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
        gpu.matrix.load_identity()
        gpu.matrix.load_projection_matrix(Matrix.Identity(4))
        shader.uniform_float("color", (*(part / 255 for part in rgb), opacity))
        batch.draw(shader)


def _is_drawn_together(shape: Shape, times: int) -> bool:
    return len(shape.points) * times < (_ONCE if times == 1 else _OFTEN)


def _batch(shapes: list[Shape], times: list[int]) -> Batch:
    """One batch of shapes, each so many times; every copy is the next thing in the texture."""
    counts = np.array([len(shape.points) for shape in shapes])
    of_points, things, starts = _copies(counts, times)
    form = gpu.types.GPUVertFormat()
    form.attr_add(id="pos", comp_type="F32", len=3, fetch_mode="FLOAT")
    form.attr_add(id="mark", comp_type="F32", len=1, fetch_mode="FLOAT")
    form.attr_add(id="thing", comp_type="F32", len=1, fetch_mode="FLOAT")
    points = gpu.types.GPUVertBuf(form, len(of_points))
    points.attr_fill("pos", np.concatenate([shape.points for shape in shapes])[of_points])
    points.attr_fill("mark", np.concatenate([shape.marks for shape in shapes])[of_points])
    points.attr_fill("thing", things.astype(np.float32))
    of_triangles, copies, _ = _copies(np.array([len(shape.triangles) for shape in shapes]), times)
    triangles = np.concatenate([shape.triangles for shape in shapes])[of_triangles]
    indices = gpu.types.GPUIndexBuf(type="TRIS", seq=triangles + starts[copies, None].astype(np.int32))
    return gpu.types.GPUBatch(type="TRIS", buf=points, elem=indices)


def _copies(counts: np.ndarray, times: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of parts that lie one after the other, repeated a part at a time: which row each one is, of which copy, and
    where each copy starts."""
    lengths = np.repeat(counts, times)
    starts = np.cumsum(lengths) - lengths
    which = np.repeat(np.arange(len(lengths)), lengths)
    shift = np.repeat(np.cumsum(counts) - counts, times) - starts
    return np.arange(int(lengths.sum())) + shift[which], which, starts


def _padded_colors(palette: np.ndarray) -> np.ndarray:
    colors = np.ones((1, len(palette), 4), np.float32)
    colors[0, :, :3] = palette / 255
    return colors


def _texture(values: np.ndarray) -> Texture:
    """A texture of (H, W, 4) float32."""
    height, width, _ = values.shape
    flat = np.ascontiguousarray(values, np.float32).ravel()
    return gpu.types.GPUTexture(
        (width, height), format="RGBA32F", data=gpu.types.Buffer("FLOAT", flat.size, flat)
    )


def _shader() -> Shader:
    info = gpu.types.GPUShaderCreateInfo()
    between = gpu.types.GPUStageInterfaceInfo("spade_label")
    between.flat("VEC4", "shade")
    info.push_constant("MAT4", "projection")
    info.push_constant("INT", "first")
    info.push_constant("FLOAT", "opacity")
    info.sampler(0, "FLOAT_2D", "things")
    info.sampler(1, "FLOAT_2D", "palette")
    info.vertex_in(0, "VEC3", "pos")
    info.vertex_in(1, "FLOAT", "mark")
    info.vertex_in(2, "FLOAT", "thing")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "color")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)
