# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from tests.server.running import RunningServer


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings("error"))


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """One server for all tests that leave it as they found it."""
    options = ("--max-side", "2048", "--models", "landscape", "coco_stuff")
    with RunningServer(tmp_path_factory.mktemp("server"), *options) as server:
        yield server


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def landscape():
    return load_label_set("landscape")


@pytest.fixture(scope="session")
def label_map():
    """Sky over grass, (64, 96)."""
    label_map = np.zeros((64, 96), np.uint8)
    label_map[32:] = 6
    return label_map
