# SPDX-License-Identifier: GPL-3.0-or-later
"""How long labelling and the sidebar take in large scenes: seconds to label, milliseconds a redraw.

    .venv/bin/python -m benchmarks.labelling        (Blender 4.5)
    .venv-3.13/bin/python -m benchmarks.labelling   (Blender 5.2)

The panels are drawn into a stand-in for Blender's layout, which takes every call: what is measured is the add-on's own
work. "After a change" is what the first redraw after labelling works out anew; with a window it is done in slices, of
which the longest is told. Ends with 1 where a bound is missed.
"""

# What add-ons hang on Scene is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from build_steps.staging import stage_for_import

MANY, SELECTED = 20_000, 5_000
LABEL_S, REDRAW_MS = 0.5, 5.0
REDRAWS = 20
TERRAIN_SIDE = 1000


def main() -> int:
    stage_for_import()
    import bpy
    import spade_backdrops

    spade_backdrops.register()
    missed = 0
    try:
        print(f"Blender {bpy.app.version_string}")
        print(f"{'':<52}{'label s':>9}{'redraw ms':>11}{'after a change':>16}{'slice':>7}")
        for title, build in SCENES.items():
            bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
            label = build(bpy)
            bpy.context.view_layer.update()
            began = time.perf_counter()
            label()
            labelled = time.perf_counter() - began
            first, *others = [redraw_ms(bpy) for _ in range(1 + REDRAWS)]
            usual = statistics.median(others)
            longest = longest_slice_ms(bpy)
            print(f"{title:<52}{labelled:9.3f}{usual:11.2f}{first:16.1f}{longest:7.1f}", flush=True)
            missed += (labelled > LABEL_S and build in BOUNDED) or max(usual, longest) > REDRAW_MS
        print(
            f"Bounds: {LABEL_S} s to label {SELECTED} objects or a terrain, {REDRAW_MS} ms a redraw.", end=" "
        )
        print("Missed." if missed else "Kept.")
    finally:
        spade_backdrops.unregister()  # Blender 4.5 hangs at exit otherwise
    return 1 if missed else 0


def selected_objects(bpy) -> Callable[[], object]:
    """Some of many objects are selected, and get another label than they have."""
    from spade_backdrops.scene.label_rules import assign_all

    scene, things = bpy.context.scene, objects(bpy, MANY, "Tree")
    assign_all(scene, things, "tree")
    for thing in things[:SELECTED]:
        thing.select_set(True)
    return lambda: bpy.ops.spade.assign_label(kind="OBJECT", class_name="bush")


def older_file(bpy) -> Callable[[], object]:
    """The same where all labels still are rules, as the first version of the add-on wrote them."""
    scene, things = bpy.context.scene, objects(bpy, MANY, "Tree")
    for thing in things:
        rule = scene.spade.rules.add()
        rule.object, rule.class_name = thing, "tree"
    for thing in things[:SELECTED]:
        thing.select_set(True)
    return lambda: bpy.ops.spade.assign_label(kind="OBJECT", class_name="bush")


def two_scenes(bpy) -> Callable[[], object]:
    """The same where another scene shows the objects, and is to keep its labels."""
    label = selected_objects(bpy)
    other = bpy.data.scenes.new("Other")
    for thing in bpy.context.scene.objects:
        other.collection.objects.link(thing)
    return label


def no_labels(bpy) -> Callable[[], object]:
    """No name helps: everything is listed, and can be selected. One of it stays so."""
    things = objects(bpy, MANY, "Blob")

    def select() -> None:
        bpy.ops.spade.select_unlabelled()
        for thing in things[1:]:
            thing.select_set(False)

    return select


def by_name(bpy) -> Callable[[], object]:
    objects(bpy, MANY // 2, "Pine")
    objects(bpy, MANY // 2, "SM_Rock_Large")
    return lambda: bpy.ops.spade.auto_assign()


def collection_instances(bpy) -> Callable[[], object]:
    source = bpy.data.collections.new("Trees")
    for thing in objects(bpy, 10, "Tree"):
        source.objects.link(thing)
        bpy.context.scene.collection.objects.unlink(thing)
    for thing in objects(bpy, MANY, "Copse", data=False):
        thing.instance_type, thing.instance_collection = "COLLECTION", source
    return lambda: bpy.ops.spade.auto_assign()


def terrain(bpy) -> Callable[[], object]:
    """One mesh of two million triangles that show four materials."""
    side = TERRAIN_SIDE + 1
    x, y = np.meshgrid(np.linspace(-50, 50, side), np.linspace(-50, 50, side))
    corner = np.arange(side**2).reshape(side, side)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    triangles = np.concatenate([np.stack(each, -1).reshape(-1, 3) for each in ((a, b, c), (a, c, d))])
    mesh = bpy.data.meshes.new("Land")
    mesh.vertices.add(side**2)
    mesh.vertices.foreach_set("co", np.stack((x, y, 0 * x), -1).astype(np.float32).ravel())
    mesh.loops.add(triangles.size)
    mesh.loops.foreach_set("vertex_index", triangles.astype(np.int32).ravel())
    mesh.polygons.add(len(triangles))
    mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", (np.arange(len(triangles)) // 5000 % 4).astype(np.int32))
    for name in ("Grass", "Rock", "Path", "Snow"):
        mesh.materials.append(bpy.data.materials.new(name))
    mesh.update()
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Land", mesh))
    return lambda: bpy.ops.spade.auto_assign()


SCENES = {
    f"{SELECTED} selected of {MANY} labelled objects": selected_objects,
    f"the same, with {MANY} rules of an older file": older_file,
    "the same, with a second scene that shows them": two_scenes,
    f"{MANY} objects without label, Select Unlabelled": no_labels,
    f"{MANY} objects, Label by Name": by_name,
    f"{MANY} collection instances, Label by Name": collection_instances,
    f"terrain of {2 * TERRAIN_SIDE**2} polygons, Label by Name": terrain,
}


BOUNDED = (selected_objects, older_file, two_scenes, terrain)


def objects(bpy, count: int, name: str, data: bool = True) -> list:
    """New objects of one small mesh, or empties, in the scene."""
    mesh = bpy.data.meshes.new("Blob") if data else None
    if mesh is not None:
        mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    made = [bpy.data.objects.new(f"{name}.{index:05}", mesh) for index in range(count)]
    for thing in made:
        bpy.context.scene.collection.objects.link(thing)
    return made


def redraw_ms(bpy) -> float:
    """Milliseconds to draw the three panels of the sidebar."""
    panels = [getattr(bpy.types, f"SPADE_PT_{name}") for name in ("backdrop", "labels", "server")]
    began = time.perf_counter()
    for panel in panels:
        panel.draw(type("Panel", (), {"layout": AnyLayout()}), bpy.context)
    return (time.perf_counter() - began) * 1000


def longest_slice_ms(bpy) -> float:
    """Milliseconds of processor time of the longest of the slices in which the labels are looked through."""
    from spade_backdrops.scene import label_overview

    label_overview.forget()
    begun, longest, is_there = label_overview.begin(bpy.context.scene), 0.0, False
    while not is_there:
        began = time.thread_time()
        is_there = label_overview.work(begun)
        longest = max(longest, time.thread_time() - began)
    return longest * 1000


class AnyLayout:
    """Takes every call that a layout takes."""

    def __getattr__(self, name: str) -> Callable[..., AnyLayout]:
        return lambda *words, **named: self

    def __iter__(self) -> Iterator[AnyLayout]:
        return iter(())


if __name__ == "__main__":
    sys.exit(main())
