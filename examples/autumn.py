# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.autumn OUT`: a scene with a look and labels of its own, for docs/training.md to walk from.

It stands for the reader's own scene: the example valley in autumn, in colours, labelled with examples/autumn.toml.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from build_steps.staging import stage_for_import

LABEL_SET = Path(__file__).with_name("autumn.toml")


def main(words: list[str] | None = None) -> int:
    """Write OUT/valley.blend."""
    parser = argparse.ArgumentParser(prog="python -m examples.autumn", description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args(words).out
    out.mkdir(parents=True, exist_ok=True)
    stage_for_import()
    import bpy  # before the rest: it brings mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from . import autumn_scene, demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    autumn_scene.colour(scene)
    bpy.ops.spade.import_label_set(  # pyright: ignore[reportAttributeAccessIssue]
        filepath=str(LABEL_SET)
    )
    given = auto_assign(scene)
    demo_scene.save(out / "valley.blend")
    demo_scene.leave()
    print(f"{out / 'valley.blend'}: {len(given)} labels, by name.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
