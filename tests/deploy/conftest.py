# SPDX-License-Identifier: Apache-2.0
from tests.server.conftest import label_map, landscape

__all__ = ["label_map", "landscape"]
