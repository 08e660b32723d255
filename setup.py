# SPDX-License-Identifier: Apache-2.0
"""Which packages are installed, and under which name; everything else stands in pyproject.toml.

The folder server/ is installed as `spade_server`: `server` is a name that other people's packages have, too.
"""

from setuptools import find_packages, setup

CORE = find_packages(include=["spade_core", "spade_core.*"])
SERVER = [f"spade_{name}" for name in find_packages(include=["server", "server.*"])]

setup(packages=CORE + SERVER, package_dir={"spade_server": "server"})
