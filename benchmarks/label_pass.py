# SPDX-License-Identifier: GPL-3.0-or-later
"""How long labels take in the example valley: as a direct pass, and in the background, where Blender stays free.

Run it with a Python that has Blender: `python -m benchmarks.label_pass [RUNS]`. "Press" is what the main thread does to
write the scene, "tick" the longest step of the timer until the labels are there: the two are all the user feels. Then
two heavy scenes: "press CPU" is the processor's time, which a busy machine changes less, "Blender" what Blender's own
writing takes of it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.labelling import MANY, objects
from build_steps.staging import stage_for_import

SIZES = ((512, 512), (672, 384), (2048, 1152))
TICK_S = 0.04
BOUND_MS = 100
CARDS = 300


def main(runs: int = 3) -> None:
    stage_for_import()
    import bpy
    import spade_backdrops

    spade_backdrops.register()
    try:
        print(f"Example valley, Blender {bpy.app.version_string}, {os.cpu_count()} cores; medians of {runs}")
        print(f"{'size':>11}  {'direct s':>8}  {'background s':>12}  {'press ms':>8}  {'tick ms':>7}")
        with silence() as shown:
            longest = max(measure(bpy, size, runs, shown) for size in SIZES)
            shown.write(f"\n{'512 x 512':>23}  {'direct s':>8}  {'press CPU ms':>12}  {'Blender ms':>12}\n")
            for title, build in HEAVY.items():
                measure_heavy(bpy, title, build, runs, shown)
    finally:
        spade_backdrops.unregister()  # Blender 4.5 hangs at exit otherwise
    print(f"Longest on the main thread: {longest:.0f} ms of {BOUND_MS}. {verdict(longest)}")


def verdict(milliseconds: float) -> str:
    return "Kept." if milliseconds < BOUND_MS else "Missed."


def measure(bpy, size: tuple[int, int], runs: int, shown) -> float:
    """Print the figures of a size; returns the longest time on the main thread, in milliseconds."""
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.label_taking import current_labels
    from spade_backdrops.scene.label_pass import render_label_map
    from spade_backdrops.scene.label_rules import auto_assign

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene, shape = bpy.context.scene, (size[1], size[0])
    build_valley(scene)
    auto_assign(scene)
    render_label_map(scene, (64, 64))  # the first render loads Cycles
    in_background(scene, (64, 64))  # there, too
    assert current_labels().works
    rows = []
    for _ in range(runs):
        began = time.perf_counter()
        direct = render_label_map(scene, shape).label_map
        seconds = time.perf_counter() - began
        label_map, *times = in_background(scene, shape)
        np.testing.assert_array_equal(label_map, direct)
        rows.append((seconds, *times))
    direct_s, background_s, press, tick = (statistics.median(column) for column in zip(*rows, strict=True))
    shown.write(
        f"{size[0]:>5} x {size[1]:<4}  {direct_s:8.2f}  {background_s:12.2f}  "
        f"{press * 1000:8.0f}  {tick * 1000:7.1f}\n"
    )
    shown.flush()
    return max(press, tick) * 1000


def measure_heavy(bpy, title: str, build: Callable, runs: int, shown) -> None:
    """Print the figures of a scene that has much of something."""
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_pass import render_label_map
    from spade_backdrops.scene.label_rules import auto_assign
    from spade_backdrops.scene.scene_file import write_scene_file

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene, rows = bpy.context.scene, []
    build_valley(scene)
    build(bpy)
    auto_assign(scene)
    bpy.context.view_layer.update()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.blend"
        for _ in range(runs):
            bpy.context.view_layer.update()  # what the pass before has left to do, a window has done by now
            press = cpu_ms(lambda: write_scene_file(scene, file))
            plain = cpu_ms(lambda: bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True, compress=False))
            began = time.perf_counter()
            render_label_map(scene, (512, 512))
            rows.append((time.perf_counter() - began, press, plain))
    direct_s, press, plain = (statistics.median(column) for column in zip(*rows, strict=True))
    shown.write(f"{title:>23}  {direct_s:8.2f}  {press:12.0f}  {plain:12.0f}\n")
    shown.flush()


def many_objects(bpy) -> None:
    objects(bpy, MANY, "Tree")


def leaf_cards(bpy) -> None:
    """Cards before the camera, each with a material of its own whose alpha comes from a texture."""
    image = bpy.data.images.new("Leaf", 64, 64, alpha=True)
    image.pack()
    for number, card in enumerate(objects(bpy, CARDS, "Leaf")):
        material = bpy.data.materials.new(f"Leaf {number}")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        texture = nodes.new("ShaderNodeTexImage")
        texture.image = image
        links.new(texture.outputs["Alpha"], nodes["Principled BSDF"].inputs["Alpha"])
        card.data = card.data.copy()
        card.data.materials.append(material)
        card.location = (number % 20 - 10, 10 + number // 20, 1)


HEAVY = {f"{MANY} objects": many_objects, f"{CARDS} alpha materials": leaf_cards}


def cpu_ms(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def in_background(scene, shape: tuple[int, int]) -> tuple[np.ndarray, float, float, float]:
    """The label map, and the seconds of all, of the press, and of the longest tick."""
    from spade_backdrops.bridge.jobs import JobState, SceneRequest
    from spade_backdrops.label_taking import current_labels
    from spade_backdrops.scene.label_rules import scene_label_set
    from spade_backdrops.session import current_session

    labels, board, label_set = current_labels(), current_session().board, scene_label_set(scene)
    began = time.perf_counter()
    wanted = labels.write(scene, shape)
    press = time.perf_counter() - began
    empty = np.full(shape, label_set.ignore_id, label_set.dtype)
    request = SceneRequest(empty, label_set, "", 0, scene.session_uid, scene.name, "", "")
    job = board.add(request, state=JobState.TAKING)
    labels.add(job, wanted)
    longest = 0.0
    while job.state is JobState.TAKING:
        time.sleep(TICK_S)
        step_began = time.perf_counter()
        labels.step()
        longest = max(longest, time.perf_counter() - step_began)
    total = time.perf_counter() - began
    assert job.error is None, job.error
    board.cancel(job)
    return job.request.label_map, total, press, longest


class silence:
    """Sends what Blender itself prints about each render nowhere; what is written to the value is seen."""

    def __enter__(self):
        sys.stdout.flush()
        self._kept = os.dup(1)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        self._shown = os.fdopen(os.dup(self._kept), "w")
        return self._shown

    def __exit__(self, *_) -> None:
        self._shown.close()
        os.dup2(self._kept, 1)
        os.close(self._kept)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
