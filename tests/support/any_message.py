# SPDX-License-Identifier: Apache-2.0
"""Strategies of hypothesis for what travels: messages that are well formed, and headers that are nearly so."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from spade_core.contract.messages import CLIENT_MESSAGES, SERVER_MESSAGES

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63) + 1, 2**63 - 1),
    float: st.floats(-1e17, 1e17, allow_nan=False),
    str: st.text(max_size=30),
    bool: st.booleans(),
}
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)


def messages(kind: type) -> st.SearchStrategy[Any]:
    """Messages of this kind whose fields are of the right types, whatever they say."""
    hints = get_type_hints(kind)
    wanted = {
        entry.name: _of(hints[entry.name]) for entry in fields(kind) if entry.metadata.get("wire", True)
    }
    return st.builds(kind, **wanted)


def headers() -> st.SearchStrategy[dict[str, Any]]:
    """Headers of all kinds with fields that are missing, of another type, or unheard of."""
    return st.sampled_from(sorted({**CLIENT_MESSAGES, **SERVER_MESSAGES}.items())).flatmap(
        lambda item: _header(*item)
    )


def _header(name: str, kind: type) -> st.SearchStrategy[dict[str, Any]]:
    hints = get_type_hints(kind)
    required = {
        entry.name: _plain(hints[entry.name]) | ANYTHING
        for entry in fields(kind)
        if entry.metadata.get("wire", True) and entry.default is MISSING and entry.default_factory is MISSING
    }
    others = {
        entry.name: _plain(hints[entry.name]) | ANYTHING
        for entry in fields(kind)
        if entry.metadata.get("wire", True) and entry.name not in required
    }
    return st.tuples(
        st.fixed_dictionaries(required, optional=others),
        st.dictionaries(st.text(max_size=8), ANYTHING, max_size=2),
    ).map(lambda parts: {**parts[1], **parts[0], "kind": name})


def _of(expected: Any) -> st.SearchStrategy[Any]:
    origin: Any = get_origin(expected)
    if origin in (Union, types.UnionType):
        return st.none() | _of(get_args(expected)[0])
    if origin is tuple:
        items = get_args(expected)
        if items[-1] is Ellipsis:
            return st.lists(_of(items[0]), max_size=3).map(tuple)
        return st.tuples(*map(_of, items))
    return messages(expected) if is_dataclass(expected) else _SCALARS[expected]


def _plain(expected: Any) -> st.SearchStrategy[Any]:
    """The same as JSON has it."""
    origin: Any = get_origin(expected)
    if origin in (Union, types.UnionType):
        return st.none() | _plain(get_args(expected)[0])
    if origin is tuple:
        items = get_args(expected)
        if items[-1] is Ellipsis:
            return st.lists(_plain(items[0]), max_size=3)
        return st.tuples(*map(_plain, items)).map(list)
    if is_dataclass(expected):
        hints = get_type_hints(expected)
        return st.fixed_dictionaries(
            {},
            optional={
                entry.name: _plain(hints[entry.name])
                for entry in fields(expected)
                if entry.metadata.get("wire", True)
            },
        )
    return _SCALARS[expected]
