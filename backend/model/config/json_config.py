# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses from plain data, strictly: no unknown key, no missing key, no other type."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def read_strictly(kind: Any, value: Any, where: str) -> Any:
    """A value of the annotated type `kind` from plain data. A field with a default may be missing.

    Args:
        kind: a dataclass, Literal, tuple, optional, plain type, or a dict, which stays as it is.
        value: what JSON or TOML holds.
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
        return _read_tuple(get_args(kind), value, where)
    if origin is dict:
        kind = dict
    if origin in (Union, types.UnionType):
        return None if value is None else read_strictly(get_args(kind)[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # exact: a bool is no number here
        raise ValueError(f"{where} is {value!r}, expected {kind.__name__}")
    return value


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """A list of any length for `tuple[kind, ...]`, else of as many values as there are kinds."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where} is {value!r}, expected a list")  # noqa: TRY004
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{where} is {value!r}, expected {len(kinds)} values")
    return tuple(
        read_strictly(kind, item, f"{where}[{i}]")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    if type(data) is not dict:
        raise ValueError(f"{where} is {data!r}, expected an object")
    hints = get_type_hints(kind)
    needed = {field.name for field in dataclasses.fields(kind) if not _has_default(field)}
    unknown, missing = sorted(set(data) - set(hints)), sorted(needed - set(data))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return kind(
        **{key: read_strictly(hints[key], each, f"{where}.{key}") for key, each in data.items()}
    )


def _has_default(field: dataclasses.Field[Any]) -> bool:
    absent = dataclasses.MISSING
    return field.default is not absent or field.default_factory is not absent
