# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that cross the pipe: JSON-RPC 2.0, one UTF-8 object for each line.

A parent (Blender, a script) asks; a child (the backend, a second Blender that renders) answers and
tells how far it is. Standard library only: both sides share this file.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .errors import LsrmError

PROTOCOL_VERSION = 1
"""Raised whenever a parent and a child of different versions would misunderstand each other."""

HEARTBEAT_SECONDS = 1.0
"""How often a child says that it is alive."""

LONGEST_LINE = 1 << 20
"""Bytes; large data travels in files."""

# What a parent may ask of every child; what else it may ask depends on the child.
INITIALIZE, CANCEL, STATUS, RELEASE, SHUTDOWN = (
    "initialize", "cancel", "status", "release", "shutdown",
)  # fmt: skip
# What a child tells without being asked.
PROGRESS, HEARTBEAT, LOG = "progress", "heartbeat", "log"

# The numbers that JSON-RPC 2.0 gives to errors, and ours for those of `errors.py`.
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR, LSRM_ERROR = -32602, -32603, -32000


@dataclass(frozen=True)
class Request:
    """A question that wants an answer."""

    id: int | str
    method: str
    params: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As it travels."""
        return {"id": self.id, "method": self.method, "params": self.params}


@dataclass(frozen=True)
class Notification:
    """Something told; nobody answers."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As it travels."""
        return {"method": self.method, "params": self.params}


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    id: int | str
    result: Any

    def to_dict(self) -> dict[str, Any]:
        """As it travels."""
        return {"id": self.id, "result": self.result}


@dataclass(frozen=True)
class Failure:
    """Why nothing came of a request; without an id if the request could not even be read.

    Attributes:
        id: of the request.
        error: for the artist.
        number: for JSON-RPC.
    """

    id: int | str | None
    error: LsrmError
    number: int = LSRM_ERROR

    def to_dict(self) -> dict[str, Any]:
        """As it travels."""
        told = {"code": self.number, "message": self.error.message, "data": self.error.to_dict()}
        return {"id": self.id, "error": told}


Message = Request | Notification | Answer | Failure


class BadMessage(Exception):
    """A line that is no message of this protocol.

    Attributes:
        number: JSON-RPC's for what is wrong.
        id: of the request, if it could be read.
    """

    def __init__(self, reason: str, number: int, id_: int | str | None = None) -> None:
        super().__init__(reason)
        self.number = number
        self.id = id_


def encode(message: Message) -> bytes:
    """A message as one line; numbers that JSON lacks become null."""
    document = _finite({"jsonrpc": "2.0", **message.to_dict()})
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Message:
    """A line as a message.

    Raises:
        BadMessage: saying what is wrong with it.
    """
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}", PARSE_ERROR) from error
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        raise BadMessage("not a JSON-RPC 2.0 object", INVALID_REQUEST)
    identity = document.get("id")
    if isinstance(identity, bool) or not isinstance(identity, int | str | None):
        raise BadMessage("its id is no number and no string", INVALID_REQUEST)
    if "method" in document:
        return _question(document, identity)
    if "error" in document:
        return _failure(document["error"], identity)
    if "result" in document and identity is not None:
        return Answer(identity, document["result"])
    raise BadMessage("neither method nor result nor error", INVALID_REQUEST, identity)


class LineSplitter:
    """Puts the lines together again that a pipe delivers in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without the empty ones.

        Raises:
            BadMessage: if a line gets longer than any message; what came of it is dropped.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
            raise BadMessage(f"a line of more than {LONGEST_LINE} bytes", PARSE_ERROR)
        return [line for line in lines if line.strip()]


def error_of(told: dict[str, Any]) -> LsrmError:
    """The error that `LsrmError.to_dict` described, as one of our kinds if we know its code."""
    kinds = {kind.code: kind for kind in LsrmError.__subclasses__()}
    kind = kinds.get(str(told.get("code")), LsrmError)
    return kind(str(told.get("message", "")), str(told.get("remedy", "")))


def _question(document: dict[str, Any], identity: int | str | None) -> Request | Notification:
    method, params = document["method"], document.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise BadMessage("method must be a string and params an object", INVALID_REQUEST, identity)
    if identity is None:
        return Notification(method, params)
    return Request(identity, method, params)


def _failure(told: Any, identity: int | str | None) -> Failure:
    if not isinstance(told, dict) or not isinstance(told.get("code"), int):
        raise BadMessage("its error has no number", INVALID_REQUEST, identity)
    data = told.get("data")
    if not isinstance(data, dict):
        data = {"message": told.get("message", "")}
    return Failure(identity, error_of(data), told["code"])


def _finite(value: Any) -> Any:
    """A JSON document without infinities and NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
