# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "spade_core" / "contract").glob("[a-z]*.py"))

BLOCKING = """
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
for module in {modules!r}:
    importlib.import_module("spade_core.contract." + module)
"""


def run(source: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", source], cwd=ROOT, check=True, timeout=60)


def test_the_contract_imports_without_torch_or_blender():
    run(BLOCKING.format(blocked=("torch", "bpy", "server", "blender_addon"), modules=MODULES))


def test_only_an_open_connection_needs_zmq():
    modules = [module for module in MODULES if module not in ("sockets", "transport")]
    run(BLOCKING.format(blocked=("torch", "bpy", "zmq"), modules=modules))


@pytest.mark.parametrize("module", MODULES)
def test_the_contract_names_its_own_modules_relatively(module):
    # The add-on carries a copy inside its own package, where the absolute name does not exist.
    source = (ROOT / "spade_core" / "contract" / f"{module}.py").read_text(encoding="utf-8")
    assert "import spade_core" not in source and "from spade_core" not in source
