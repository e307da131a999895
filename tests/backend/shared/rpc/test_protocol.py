# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages on the pipe: encoding, decoding, and lines that are no messages."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shared import errors
from backend.shared.rpc import protocol
from backend.shared.rpc.protocol import (
    BadMessage,
    ErrorResponse,
    LineSplitter,
    Notification,
    Request,
    Response,
)

TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=3)
IDS = st.integers() | TEXTS
MESSAGES = st.one_of(
    st.builds(Request, IDS, TEXTS, OBJECTS),
    st.builds(Notification, TEXTS, OBJECTS),
    st.builds(Response, IDS, VALUES),
)


@given(MESSAGES)
def test_decode_inverts_encode(message):
    """Any text and any JSON value is encoded as one line and decoded unchanged."""
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert protocol.decode(line) == message


@pytest.mark.parametrize("kind", errors.LsrmError.__subclasses__())
def test_errors_keep_their_class(kind):
    """Each error is decoded as the same class, with its message and remedy."""
    sent = kind("A mask is empty: 0003.png.", "Remove the view.")
    received = protocol.decode(protocol.encode(ErrorResponse(7, sent)))
    assert type(received.error) is kind
    assert received.error.to_dict() == sent.to_dict()
    assert (received.id, received.rpc_code) == (7, protocol.LSRM_ERROR)


def test_errors_with_an_unknown_code():
    """An error of a later version keeps its message and remedy."""
    error = protocol.error_from_dict({"code": "FROM_THE_FUTURE", "message": "A.", "remedy": "B."})
    assert type(error) is errors.LsrmError
    assert (error.message, error.remedy) == ("A.", "B.")


def test_numbers_that_json_lacks_become_null():
    """A perfect score has infinite decibels, which JSON cannot express."""
    line = protocol.encode(Response(1, {"psnr": math.inf, "more": [math.nan, 1.5]}))
    assert json.loads(line)["result"] == {"psnr": None, "more": [None, 1.5]}


@pytest.mark.parametrize(
    ("line", "rpc_code"),
    [
        (b"\xff\xfe", protocol.PARSE_ERROR),
        (b"{", protocol.PARSE_ERROR),
        (b"[" * 100_000, protocol.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"result":NaN}', protocol.PARSE_ERROR),
        (b"[]", protocol.INVALID_REQUEST),
        (b'{"id":1,"method":"status"}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":[],"method":"status"}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"status"}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":2}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', protocol.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"error":"no"}', protocol.INVALID_REQUEST),
    ],
)
def test_invalid_lines_have_an_error_code(line, rpc_code):
    """Every kind of invalid line raises BadMessage, with the error code of JSON-RPC."""
    with pytest.raises(BadMessage) as caught:
        protocol.decode(line)
    assert caught.value.rpc_code == rpc_code


@given(st.binary(max_size=200))
def test_decode_raises_only_bad_message(line):
    """Whatever the bytes are."""
    with contextlib.suppress(BadMessage):
        protocol.decode(line)


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b and b.strip())), st.data())
def test_lines_are_joined_from_pieces(lines, data):
    """However a pipe cuts the bytes, the lines are the same."""
    stream = b"".join(line + b"\n" for line in lines)
    splitter, found = LineSplitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:size])
        stream = stream[size:]
    assert found == lines


def test_too_long_lines_are_dropped():
    """A line without end does not fill the memory; the lines after it are read."""
    splitter = LineSplitter()
    with pytest.raises(BadMessage):
        splitter.feed(b"x" * (protocol.MAX_LINE_BYTES + 1))
    assert splitter.feed(b"ok\n") == [b"ok"]
