# SPDX-License-Identifier: Apache-2.0
"""Waiting for a running server's model from the command line."""

from __future__ import annotations

import time

from ..contract.client import Client
from ..contract.errors import UnavailableError, UnknownModelError
from ..contract.messages import ModelInfo

LOADING_S = 60.0


def served_model(client: Client, name: str) -> ModelInfo:
    """The server's model of this name, once it is loaded. Raises UnavailableError and UnknownModelError."""
    welcome = client.fetch_welcome()
    deadline = time.monotonic() + LOADING_S
    while welcome.state == "warming" and time.monotonic() < deadline:
        client.poll(timeout_ms=100)  # it introduces itself again when that changes
        welcome = client.fetch_welcome()
    models = {model.name: model for model in welcome.models}
    if name in models:
        return models[name]
    problem = welcome.problem_with(name)
    if problem is not None:
        raise UnavailableError(f"The server cannot paint with '{name}': {problem.message}", problem.fix)
    raise UnknownModelError(
        f"The server does not serve the model '{name}'.",
        f"Choose {', '.join(models)}." if models else "Wait until it has loaded its models, and try again.",
    )
