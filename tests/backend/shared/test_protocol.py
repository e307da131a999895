# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words on the pipe: what goes in comes out, and what is no message is told as such."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shared import errors, protocol
from backend.shared.protocol import Answer, BadMessage, Failure, LineSplitter, Notification, Request
from backend.shared.time_left import EARLIEST, TimeLeft

WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)
IDS = st.integers() | WORDS
MESSAGES = st.one_of(
    st.builds(Request, IDS, WORDS, OBJECTS),
    st.builds(Notification, WORDS, OBJECTS),
    st.builds(Answer, IDS, VALUES),
)


@given(MESSAGES)
def test_messages_survive_the_pipe(message):
    """Any text and any JSON value travels in one line and comes out as it went in."""
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert protocol.decode(line) == message


@pytest.mark.parametrize("kind", errors.LsrmError.__subclasses__())
def test_errors_survive_the_pipe(kind):
    """Each kind of error arrives as the same kind, with its words."""
    sent = kind("A mask is empty: 0003.png.", "Remove the view.")
    heard = protocol.decode(protocol.encode(Failure(7, sent)))
    assert type(heard.error) is kind
    assert heard.error.to_dict() == sent.to_dict()
    assert (heard.id, heard.number) == (7, protocol.LSRM_ERROR)


def test_an_error_of_another_version_keeps_its_words():
    """A code that this version does not know is an error all the same."""
    told = protocol.error_of({"code": "FROM_THE_FUTURE", "message": "A.", "remedy": "B."})
    assert type(told) is errors.LsrmError
    assert (told.message, told.remedy) == ("A.", "B.")


def test_numbers_that_json_lacks_become_null():
    """A perfect score has infinite decibels, and JSON has no word for that."""
    line = protocol.encode(Answer(1, {"psnr": math.inf, "more": [math.nan, 1.5]}))
    assert json.loads(line)["result"] == {"psnr": None, "more": [None, 1.5]}


@pytest.mark.parametrize(
    ("line", "number"),
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
def test_what_is_no_message_is_told_by_number(line, number):
    """Every kind of garbage raises the one exception, with JSON-RPC's number for it."""
    with pytest.raises(BadMessage) as refused:
        protocol.decode(line)
    assert refused.value.number == number


@given(st.binary(max_size=200))
def test_decode_raises_nothing_else(line):
    """No bytes at all make decoding fail in another way."""
    with contextlib.suppress(BadMessage):
        protocol.decode(line)


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b and b.strip())), st.data())
def test_lines_come_whole_out_of_pieces(lines, data):
    """However a pipe cuts the bytes, the same lines come out."""
    stream = b"".join(line + b"\n" for line in lines)
    splitter, heard = LineSplitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += splitter.feed(stream[:size])
        stream = stream[size:]
    assert heard == lines


def test_an_endless_line_does_not_fill_the_memory():
    """A line longer than any message is refused, and what follows is read again."""
    splitter = LineSplitter()
    with pytest.raises(BadMessage):
        splitter.feed(b"x" * (protocol.LONGEST_LINE + 1))
    assert splitter.feed(b"ok\n") == [b"ok"]


def test_time_left_is_learned_from_the_job_before():
    """With one job measured, the estimate of an equal one is exact; before, it does not go back."""
    now = [0.0]
    left = TimeLeft("reconstruct", clock=lambda: now[0])
    stages = {"views": 2.0, "mesh": 6.0, "texture": 2.0}

    def run():
        for stage, seconds in stages.items():
            for step in range(5):
                yield left.report(stage, step / 4), now[0]
                now[0] += seconds / 5
        left.finish()

    guesses = [estimate.fraction for estimate, _ in run()]
    assert guesses == sorted(guesses)
    assert guesses[0] == 0.0
    start = now[0]
    left.begin()
    for estimate, at in run():
        spent = at - start
        if spent >= EARLIEST and estimate.eta is not None:
            # A stage's fraction runs ahead of its time by one step of five here.
            assert estimate.eta == pytest.approx(10.0 - spent, abs=0.25 * 6.0 * 10.0 / spent)


def test_stages_that_are_left_out_are_not_waited_for():
    """Without network and refinement the estimate is that of the rest; with it, it is longer."""
    etas = {}
    for refined in (False, True):
        now = [0.0]
        left = TimeLeft("reconstruct", clock=lambda now=now: now[0])
        for stage, seconds in (("views", 0.5), ("hull", 1.0)):
            left.report(stage, 0.0)
            now[0] += seconds
        etas[refined] = left.report("refine" if refined else "mesh", 0.0).eta
    assert etas[False] == pytest.approx(4.0 + 6.0 + 3.0)
    assert etas[True] == pytest.approx(35.0 + 4.0 + 6.0 + 3.0)


def test_an_unknown_stage_has_its_share():
    """Stages that come with later versions move the bar too, and never beyond its end."""
    left = TimeLeft("reconstruct")
    fractions = [left.report(stage, 1.0).fraction for stage in ("views", "dense stage", "write")]
    assert fractions == sorted(fractions)
    assert 0.0 < fractions[0] < fractions[-1] <= 1.0
    assert TimeLeft("something new").report("only stage", 0.5).fraction == 0.5
