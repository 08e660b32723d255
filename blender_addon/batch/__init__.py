# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch: pictures of many cameras, view layers and scenes in one go."""

from . import running


def register() -> None:
    running.at_work.register()


def unregister() -> None:
    running.at_work.unregister()
