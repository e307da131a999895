# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses from JSON, strictly: no unknown key, no missing key, no other type."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def read_strictly(kind: Any, value: Any, where: str) -> Any:
    """A value of the annotated type `kind` from plain data.

    Args:
        kind: a dataclass, Literal, tuple, optional or plain type.
        value: what JSON holds.
        where: the path of keys to the value, for errors.

    Raises:
        ValueError: naming the key that is unknown, missing or of another type.
    """
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{where} is {value!r}, expected one of {get_args(kind)}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} is {value!r}, expected a list")
        return tuple(
            read_strictly(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value)
        )
    if origin in (Union, types.UnionType):
        return None if value is None else read_strictly(get_args(kind)[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # exact: a bool is no number here
        raise ValueError(f"{where} is {value!r}, expected {kind.__name__}")
    return value


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    if type(data) is not dict:
        raise ValueError(f"{where} is {data!r}, expected an object")
    hints = get_type_hints(kind)
    unknown, missing = sorted(set(data) - set(hints)), sorted(set(hints) - set(data))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return kind(
        **{key: read_strictly(hint, data[key], f"{where}.{key}") for key, hint in hints.items()}
    )
