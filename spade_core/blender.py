# SPDX-License-Identifier: Apache-2.0
"""Blender without a window, started to render training pairs with the add-on's operator."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .contract.errors import SpadeError, UnavailableError

SCRIPT = Path(__file__).with_name("render_in_blender.py")
CHOSEN = "SPADE_BLENDER"
"""The environment variable that names a Blender program."""
MARK = "spade-pairs: "  # what the operator puts before its events
PATIENCE_S = 10.0


def render_pairs(
    scene: Path, options: dict[str, object], told: Callable[[int, int], None], blender: str | None = None
) -> int:
    """Let Blender render the pairs of a .blend; returns how many were. options: of the operator spade.render_pairs.

    `told` (done, of) as it goes. Blender leaves with this process, and when this function is left by an exception.
    Raises UnavailableError where there is no Blender or it breaks down, and SpadeError with what the operator refused.
    """
    log = tempfile.NamedTemporaryFile(
        "w", prefix="spade-blender-", suffix=".log", delete=False, encoding="utf-8"
    )
    options = {**options, "leave_with_input": True}
    words = {"scene": str(scene.resolve()), "addon": _staged_addon(), "options": options}
    with log:
        child = subprocess.Popen(
            [*command(blender), json.dumps(words)],
            stdin=subprocess.PIPE,  # it ends with this process, and Blender then leaves
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        try:
            ended = _followed(child, log.write, told)
        finally:
            _ended(child)
    if ended is None:
        raise UnavailableError(
            f"Blender broke down (exit code {child.returncode}).",
            f"The same command goes on where it stopped; what Blender said is in {log.name}.",
        )
    Path(log.name).unlink(missing_ok=True)
    if ended["kind"] == "failed":
        raise SpadeError(ended["message"], ended["fix"])
    return int(ended["rendered"])


def command(blender: str | None = None) -> list[str]:
    """How to start the script in Blender, but for its words: the program that was named, `blender`, or the module.

    Raises UnavailableError where there is neither.
    """
    named = blender or os.environ.get(CHOSEN)
    program = shutil.which(named or "blender")
    if named and program is None:
        raise UnavailableError(f"There is no program {named}.", "Name the file that starts Blender.")
    if program is not None:
        return [program, "--background", "--python-exit-code", "1", "--python", str(SCRIPT), "--"]
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable, "-P", str(SCRIPT), "--"]  # -P: this folder's modules are not for Blender
    raise UnavailableError(
        "No Blender was found.",
        f"Name it with --blender or in {CHOSEN}, or install it as a module: pip install 'spade-backdrops[blender]'.",
    )


def _followed(
    child: subprocess.Popen[str], log: Callable[[str], object], told: Callable[[int, int], None]
) -> dict | None:
    """Read what Blender says until it leaves; returns its last event if that was an end."""
    ended = None
    assert child.stdout is not None
    for line in child.stdout:
        if not line.startswith(MARK):
            log(line)
            continue
        event = json.loads(line.removeprefix(MARK))
        if event["kind"] == "progress":
            told(event["done"], event["of"])
        else:
            ended = event
    child.wait()
    return ended


def _ended(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def _staged_addon() -> str:
    """Where the add-on of this checkout is put together; "" for an installed program, whose Blender has its own."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "blender_addon").is_dir() or not (root / "build.py").is_file():
        return ""
    staged = subprocess.run([sys.executable, str(root / "build.py"), "stage"], capture_output=True, cwd=root)
    return str(root / "build" / "stage") if staged.returncode == 0 else ""
