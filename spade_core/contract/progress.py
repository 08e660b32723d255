# SPDX-License-Identifier: Apache-2.0
"""How far the painting of a picture is."""

from collections.abc import Callable

ProgressCallback = Callable[[str, float], None]
"""Called with the stage and how much of it is done, 0 to 1. It may raise to stop the work."""
