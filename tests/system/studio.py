# SPDX-License-Identifier: GPL-3.0-or-later
"""A studio's Blender: adds the studio's extension repository, and installs the add-on from it.

    BLENDER_USER_RESOURCES=fresh python studio.py URL

Prints what was seen as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy  # before Blender's other modules: it puts them on the path

import addon_utils  # isort: skip


def main(url: str) -> None:
    addon_utils.enable("bl_pkg")
    system = bpy.context.preferences.system
    system.use_online_access = True
    repositories = bpy.context.preferences.extensions.repos
    studio = repositories.new(name="Studio", module="studio", remote_url=url)
    studio.use_sync_on_startup = False
    index = repositories.find(studio.name)
    bpy.ops.extensions.repo_sync(repo_index=index)
    bpy.ops.extensions.package_install(repo_index=index, pkg_id="spade_backdrops", enable_on_install=True)
    module = "bl_ext.studio.spade_backdrops"
    extension = Path(sys.modules[module].__file__).parent
    seen = {
        "enabled": module in bpy.context.preferences.addons,
        "operators": len(dir(bpy.ops.spade)),
        "pyzmq": [file.name for file in extension.glob("wheels/*.whl")],
        "unpacked": any(Path(os.environ["BLENDER_USER_RESOURCES"]).rglob("site-packages/zmq/__init__.py")),
    }
    wheels = __import__(f"{module}.install.wheels", fromlist=["wheels"])
    wheel = wheels.bundled_wheel()
    seen["server"], seen["constraints"] = wheel.file.name, wheel.constraints.is_file()
    addon_utils.disable(module)
    print(f"\n{json.dumps(seen)}")


if __name__ == "__main__":
    main(sys.argv[1])
