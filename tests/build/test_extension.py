# SPDX-License-Identifier: Apache-2.0
"""The manifests of the zips: one wheel each, and every Blender is served by exactly one zip."""

import tomllib

import pytest

from build_steps import extension
from build_steps.environments import ROOT
from spade_core.contract.version import VERSION

TEMPLATE = (ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8")
OLD_PYTHON, NEW_PYTHON = extension.FLAVOURS


def filled(flavour: extension.Flavour) -> dict:
    return tomllib.loads(extension.manifest(TEMPLATE, "linux-x64", flavour, "zmq.whl"))


@pytest.mark.parametrize("flavour", extension.FLAVOURS, ids=lambda flavour: flavour.name)
def test_a_manifest_names_one_platform_one_wheel_and_the_contracts_version(flavour):
    manifest = filled(flavour)
    assert manifest["platforms"] == ["linux-x64"] and manifest["wheels"] == ["./wheels/zmq.whl"]
    assert manifest["version"] == VERSION == extension.version()


def test_no_blender_falls_between_the_two_zips_and_none_fits_both():
    assert filled(OLD_PYTHON)["blender_version_max"] == filled(NEW_PYTHON)["blender_version_min"]
    assert "blender_version_max" not in filled(NEW_PYTHON)


def test_the_rest_of_the_manifest_is_handed_on_unchanged():
    changed = {"version", "platforms", "wheels", "blender_version_min", "blender_version_max"}
    original = {key: value for key, value in tomllib.loads(TEMPLATE).items() if key not in changed}
    assert {key: value for key, value in filled(NEW_PYTHON).items() if key not in changed} == original
