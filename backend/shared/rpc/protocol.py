# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between a parent and a child process: JSON-RPC 2.0, one UTF-8 object per line.

A parent (Blender, a script) sends requests; a child (the backend, a second Blender that renders)
sends responses and reports its progress. Standard library only.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import LsrmError

PROTOCOL_VERSION = 1
"""Increased when a parent and a child of different versions would misunderstand each other."""

HEARTBEAT_SECONDS = 1.0
"""Between two heartbeat notifications of a child."""

MAX_LINE_BYTES = 1 << 20
"""Larger data is passed in files."""

# Methods of every child; a child adds methods of its own.
INITIALIZE, CANCEL, STATUS, RELEASE, SHUTDOWN = (
    "initialize", "cancel", "status", "release", "shutdown",
)  # fmt: skip
# Notifications of a child.
PROGRESS, PREVIEW, HEARTBEAT, LOG = "progress", "preview", "heartbeat", "log"

# The error codes of JSON-RPC 2.0, and one in its free range for the errors of `errors.py`.
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR, LSRM_ERROR = -32602, -32603, -32000


@dataclass(frozen=True)
class Request:
    """A call of a method that expects a response.

    Attributes:
        id: repeated in the response.
        method: name of the method.
        params: its parameters by name.
    """

    id: int | str
    method: str
    params: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The members of the JSON object, without the version."""
        return {"id": self.id, "method": self.method, "params": self.params}


@dataclass(frozen=True)
class Notification:
    """A message without a response.

    Attributes:
        method: what it is about.
        params: by name.
    """

    method: str
    params: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The members of the JSON object, without the version."""
        return {"method": self.method, "params": self.params}


@dataclass(frozen=True)
class Response:
    """The result of a request.

    Attributes:
        id: of the request.
        result: any JSON value.
    """

    id: int | str
    result: Any

    def to_dict(self) -> dict[str, Any]:
        """The members of the JSON object, without the version."""
        return {"id": self.id, "result": self.result}


@dataclass(frozen=True)
class ErrorResponse:
    """The error of a request.

    Attributes:
        id: of the request; None if it could not be read.
        error: for the artist.
        rpc_code: the error code of JSON-RPC.
    """

    id: int | str | None
    error: LsrmError
    rpc_code: int = LSRM_ERROR

    def to_dict(self) -> dict[str, Any]:
        """The members of the JSON object, without the version."""
        error = {"code": self.rpc_code, "message": self.error.message, "data": self.error.to_dict()}
        return {"id": self.id, "error": error}


Message = Request | Notification | Response | ErrorResponse


class BadMessage(Exception):
    """A line that is not a message of this protocol.

    Attributes:
        rpc_code: the error code of JSON-RPC.
        id: of the request, if it could be read.
    """

    def __init__(self, reason: str, rpc_code: int, id_: int | str | None = None) -> None:
        super().__init__(reason)
        self.rpc_code = rpc_code
        self.id = id_


def encode(message: Message) -> bytes:
    """A message as one line; infinite numbers and NaN, which JSON lacks, become null."""
    document = _without_nan({"jsonrpc": "2.0", **message.to_dict()})
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Message:
    """The message in a line.

    Raises:
        BadMessage: if there is none, with the reason.
    """
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}", PARSE_ERROR) from error
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        raise BadMessage("not a JSON-RPC 2.0 object", INVALID_REQUEST)
    identity = document.get("id")
    if isinstance(identity, bool) or not isinstance(identity, int | str | None):
        raise BadMessage("the id is neither a number nor a string", INVALID_REQUEST)
    if "method" in document:
        return _request_or_notification(document, identity)
    if "error" in document:
        return _error_response(document["error"], identity)
    if "result" in document and identity is not None:
        return Response(identity, document["result"])
    raise BadMessage("neither method nor result nor error", INVALID_REQUEST, identity)


class LineSplitter:
    """Splits the bytes of a pipe, which come in arbitrary pieces, into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without the empty ones.

        Raises:
            BadMessage: if a line gets longer than MAX_LINE_BYTES; what was read of it is dropped.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
            raise BadMessage(f"a line of more than {MAX_LINE_BYTES} bytes", PARSE_ERROR)
        return [line for line in lines if line.strip()]


def error_from_dict(data: dict[str, Any]) -> LsrmError:
    """The inverse of `LsrmError.to_dict`; of the base class if the code is unknown."""
    kinds = {kind.code: kind for kind in LsrmError.__subclasses__()}
    kind = kinds.get(str(data.get("code")), LsrmError)
    return kind(str(data.get("message", "")), str(data.get("remedy", "")))


def _request_or_notification(
    document: dict[str, Any], identity: int | str | None
) -> Request | Notification:
    method, params = document["method"], document.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise BadMessage("method must be a string and params an object", INVALID_REQUEST, identity)
    if identity is None:
        return Notification(method, params)
    return Request(identity, method, params)


def _error_response(error: Any, identity: int | str | None) -> ErrorResponse:
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise BadMessage("the error has no code", INVALID_REQUEST, identity)
    data = error.get("data")
    if not isinstance(data, dict):
        data = {"message": error.get("message", "")}
    return ErrorResponse(identity, error_from_dict(data), error["code"])


def _without_nan(value: Any) -> Any:
    """A JSON document with None instead of infinities and NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
