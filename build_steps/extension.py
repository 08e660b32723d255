# SPDX-License-Identifier: Apache-2.0
"""The extension as zips that Blender installs: two for each platform.

Each carries the server as a wheel, for Install Server. `dist/` is also an extension repository: `index.json` lists the
zips, and Blender takes the one that fits; `index.html` shows the same to people, and its links can be dragged into
Blender.

Blender up to 5.0 runs Python 3.11 and takes the cp311 wheel of pyzmq, later ones take the abi3 wheel; Blender
5.2 refuses a zip that carries both.
"""

from __future__ import annotations

import platform
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import pip, server_wheel
from .console import BuildError, step
from .environments import CONSTRAINTS, LOG, ROOT, Environment
from .processes import run_logged
from .staging import STAGE

WHEELS = ROOT / "build" / "wheels"
DIST = ROOT / "dist"
PLATFORMS = {  # Blender's name -> pip's
    "linux-x64": "manylinux_2_28_x86_64",
    "windows-x64": "win_amd64",
    "macos-arm64": "macosx_11_0_arm64",
    "macos-x64": "macosx_10_15_x86_64",
}
UNCHANGING_DATE = (2026, 1, 1, 0, 0, 0)  # the same sources make the same zip


@dataclass(frozen=True)
class Flavour:
    """One line of Blenders that share a Python. `first` and `before` are Blender versions ("" for open)."""

    name: str
    python: str
    abi: str
    first: str
    before: str


FLAVOURS = (
    Flavour("py311", python="3.11", abi="cp311", first="", before="5.1.0"),
    Flavour("abi3", python="3.13", abi="abi3", first="5.1.0", before=""),
)


def this_platform() -> str:
    """Blender's name of the platform this runs on. Raises BuildError where the extension is not built."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise BuildError(
            f"The extension is not built for {name}.",
            f"It is built for {', '.join(PLATFORMS)} (--all-platforms).",
        )
    return name


def build(environment: Environment, platforms: list[str]) -> list[Path]:
    """Make the zips of these platforms from the staged extension, and check each. Returns their paths."""
    made = []
    with step("Building the server's wheel"):
        server = server_wheel.files(environment)
    with step(f"Building the extension for {', '.join(platforms)}"):
        for name in platforms:
            for flavour in FLAVOURS:
                wheel = _wheel(environment, name, flavour)
                made.append(_zip(name, flavour, wheel, server))
    checker = _blenders_own_checker(environment)
    if checker:
        with step("Validating them with Blender's own tool"):
            for file in made:
                _validate(environment, checker, file)
        with step("Listing them in dist/index.json"):
            _list(environment, checker)
    return made


def server_size(file: Path) -> int:
    """Bytes that the server's wheel takes of a zip."""
    with zipfile.ZipFile(file) as packed:
        return sum(
            each.compress_size
            for each in packed.infolist()
            if each.filename.startswith(f"{server_wheel.INSIDE}/")
        )


def version() -> str:
    text = (ROOT / "spade_core" / "contract" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^VERSION\s*(?::\s*\w+\s*)?=\s*"([^"]+)"', text, re.M)
    if found is None:
        raise BuildError(
            "spade_core/contract/version.py has no VERSION.", 'Restore the line VERSION = "x.y.z".'
        )
    return found[1]


def manifest(template: str, platform_name: str, flavour: Flavour, wheel_name: str) -> str:
    """The manifest of one zip: the template with version, platform, wheel and Blender's range filled in."""
    ours = ("version", "platforms", "wheels", "blender_version_max")
    lines = [line for line in template.splitlines() if line.split("=")[0].strip() not in ours]
    at = next((i for i, line in enumerate(lines) if line.startswith("blender_version_min")), None)
    if at is None:
        raise BuildError(
            "blender_manifest.toml names no blender_version_min.", "Add that line to the manifest."
        )
    filled = [f'blender_version_min = "{flavour.first}"' if flavour.first else lines[at]]
    if flavour.before:
        filled.append(f'blender_version_max = "{flavour.before}"')
    filled += [
        f'version = "{version()}"',
        f'platforms = ["{platform_name}"]',
        f'wheels = ["./wheels/{wheel_name}"]',
    ]
    return "\n".join(lines[:at] + filled + lines[at + 1 :]) + "\n"


def _pinned_pyzmq() -> str:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.startswith("pyzmq=="))


def _wheel(environment: Environment, platform_name: str, flavour: Flavour) -> Path:
    """The wheel of pyzmq for one zip, downloaded once."""
    requirement = _pinned_pyzmq()
    folder = WHEELS / f"{requirement.replace('==', '-')}-{platform_name}-{flavour.name}"
    kept = sorted(folder.glob("*.whl"))
    if kept:
        return kept[0]
    command = [environment.python, "-m", "pip", "download", "--disable-pip-version-check", requirement]
    command += ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--abi", flavour.abi]
    command += ["--python-version", flavour.python, "--platform", PLATFORMS[platform_name], "--dest", folder]
    code, output = run_logged(command, LOG)
    if code != 0:
        raise pip.explain(output, f"pyzmq for {platform_name}", LOG)
    return next(folder.glob("*.whl"))


def _zip(platform_name: str, flavour: Flavour, wheel: Path, server: dict[str, Path]) -> Path:
    DIST.mkdir(exist_ok=True)
    target = DIST / f"spade_backdrops-{version()}-{platform_name}-{flavour.name}.zip"
    unfinished = target.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(STAGE.rglob("*")):
            name = file.relative_to(STAGE).as_posix()
            if file.is_dir() or "__pycache__" in name:
                continue
            content = file.read_bytes()
            if name == "blender_manifest.toml":
                content = manifest(content.decode("utf-8"), platform_name, flavour, wheel.name).encode(
                    "utf-8"
                )
            _add(packed, name, content)
        _add(packed, f"wheels/{wheel.name}", wheel.read_bytes())
        for name, file in server.items():
            _add(packed, name, file.read_bytes())
    unfinished.replace(target)
    return target


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, UNCHANGING_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    packed.writestr(info, content)


def _blenders_own_checker(environment: Environment) -> Path | None:
    """blender_ext.py out of the installed bpy: it runs on plain Python."""
    found = environment.folder.glob("[Ll]ib/**/bl_pkg/cli/blender_ext.py")
    return next(found, None) if environment.blender else None


def _validate(environment: Environment, checker: Path, file: Path) -> None:
    code, output = run_logged([environment.python, checker, "validate", file], LOG)
    if code != 0:
        said = "; ".join(line.split("ERROR:")[1].strip() for line in output.splitlines() if "ERROR:" in line)
        raise BuildError(f"Blender refuses {file.name}: {said}", "Mend blender_addon/blender_manifest.toml.")


def _list(environment: Environment, checker: Path) -> None:
    """Write index.json and index.html beside the zips. Those of other versions go: one repository, one version."""
    kept = {
        f"spade_backdrops-{version()}-{name}-{flavour.name}.zip" for name in PLATFORMS for flavour in FLAVOURS
    }
    for file in DIST.glob("spade_backdrops-*.zip"):
        if file.name not in kept:
            file.unlink()
    code, output = run_logged(
        [environment.python, checker, "server-generate", "--repo-dir", DIST, "--html"], LOG
    )
    if code != 0 or not (DIST / "index.json").is_file():
        raise BuildError(
            "Blender's tool did not list the zips.", f"The whole story is in {LOG}: {output[-200:]}"
        )
