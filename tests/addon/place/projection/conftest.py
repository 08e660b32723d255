# SPDX-License-Identifier: GPL-3.0-or-later
"""The court that pictures are projected on."""

from __future__ import annotations

import pytest


@pytest.fixture
def camera(scene):
    """The camera of the court, which is built around it."""
    from tests.addon.place.projection import court

    return court.build(scene)
