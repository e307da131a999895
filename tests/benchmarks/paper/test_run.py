# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are stopped go on; damaged objects are named; a cancel ends the child process."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import pytest

from backend.shared.errors import (
    BackendDied,
    BadRequest,
    Cancelled,
    DiskFull,
    EmptyMask,
    EnvironmentBroken,
    OutputNotWritable,
)
from backend.shared.progress import Progress
from benchmarks.paper import evaluation, rendering
from benchmarks.paper import run as running
from benchmarks.paper.settings import Settings

NAMES = ("bell", "cup", "mug")
MEASURED = {"inputs": 16, "targets": {"0000": {"psnr": 20.0}}}


@pytest.fixture
def settings(tmp_path):
    """A data set of three objects."""
    for name in NAMES:
        (tmp_path / "data" / name).mkdir(parents=True)
    return Settings("novel-views", tmp_path / "data", tmp_path / "out")


@pytest.fixture
def measure(monkeypatch):
    """Replaces the evaluation of an object; lists those that were, and raises what is put in."""
    done, errors = [], {}

    def instead(_evaluation, source, folder, _progress):
        if source.name in errors:
            raise errors[source.name]
        done.append(source.name)
        return dict(MEASURED)

    monkeypatch.setattr(evaluation.Evaluation, "measure", instead)
    return done, errors


def test_a_damaged_object_is_named_and_tried_again(settings, measure):
    """The others are measured; the next run takes up the damaged one alone."""
    done, errors = measure
    errors["cup"] = EmptyMask("The masks are empty.", "Make masks.")
    found = running.evaluate_all(settings, Progress())
    assert list(found["objects"]) == ["bell", "mug"]
    assert found["failed"]["cup"]["code"] == "EMPTY_MASK"
    assert found["total"] == 3
    errors.clear()
    found = running.evaluate_all(settings, Progress())
    assert done == ["bell", "mug", "cup"]
    assert list(found["objects"]) == list(NAMES)
    assert not found["failed"]


def test_an_unexpected_fault_is_of_its_object(settings, measure):
    _, errors = measure
    errors["bell"] = ZeroDivisionError("division by zero")
    found = running.evaluate_all(settings, Progress())
    assert "division by zero" in found["failed"]["bell"]["message"]
    assert list(found["objects"]) == ["cup", "mug"]


@pytest.mark.parametrize("error", [Cancelled, DiskFull, EnvironmentBroken])
def test_what_no_object_would_survive_ends_the_run(settings, measure, error):
    """What was finished before stays finished."""
    done, errors = measure
    errors["cup"] = error("It ended.", "Start again.")
    with pytest.raises(error):
        running.evaluate_all(settings, Progress())
    errors.clear()
    running.evaluate_all(settings, Progress())
    assert done == list(NAMES)


def test_other_settings_are_measured_anew(settings, measure):
    done, _ = measure
    running.evaluate_all(settings, Progress())
    other = Settings("novel-views", settings.data, settings.output, views=8, only=("mug",))
    found = running.evaluate_all(other, Progress())
    assert done == [*NAMES, "mug"]
    assert found["total"] == 3
    with pytest.raises(BadRequest, match="jug"):
        running.evaluate_all(
            Settings("novel-views", settings.data, settings.output, only=("jug",)), Progress()
        )


def test_scores_that_were_cut_are_measured_anew(settings, measure):
    done, _ = measure
    running.evaluate_all(settings, Progress())
    scores = settings.output / "objects" / "bell" / "scores.json"
    scores.write_text(scores.read_text("utf-8")[:40], "utf-8")
    running.evaluate_all(settings, Progress())
    assert done == [*NAMES, "bell"]


def test_nothing_of_others_is_overwritten(settings, measure):
    """Neither a folder that no evaluation has made, nor the data set itself."""
    foreign = settings.output / "objects" / "bell" / "views" / "transforms.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}", "utf-8")
    with pytest.raises(OutputNotWritable, match="bell"):
        running.evaluate_all(settings, Progress())
    assert foreign.read_text("utf-8") == "{}"
    inside = Settings("novel-views", settings.data, settings.data / "out")
    with pytest.raises(BadRequest, match="lies in the data set"):
        running.evaluate_all(inside, Progress())


def test_an_unknown_layout_is_refused(settings):
    wrong = Settings("gso", settings.data, settings.output, layout_name="rigs")
    with pytest.raises(BadRequest, match="rigs"):
        running.evaluate_all(wrong, Progress())


def python(text):
    """What runs a program instead of Blender."""
    return lambda *_: [sys.executable, "-c", text]


def test_a_cancel_ends_the_child_process(tmp_path, monkeypatch):
    """Within a moment, and its process is gone."""
    file = tmp_path / "pid"
    text = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    monkeypatch.setattr(rendering, "blender_command", python(text))
    progress = Progress()

    def cancel():
        while not (file.is_file() and file.read_text()):
            time.sleep(0.02)
        progress.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        rendering.render_views(tmp_path, tmp_path, tmp_path / "out", (), progress)
    thread.join()
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("import sys; print('no such light', file=sys.stderr); sys.exit(1)", BackendDied,
         "no such light"),
        (f"print({json.dumps(json.dumps({'error': {'message': 'It is broken.'}}))}); exit(1)",
         BackendDied, "It is broken"),
        ("exit(3)", EnvironmentBroken, "exit code 3"),
    ],
)  # fmt: skip
def test_a_render_that_fails_says_why(tmp_path, monkeypatch, text, error, reason):
    monkeypatch.setattr(rendering, "blender_command", python(text))
    with pytest.raises(error, match=reason):
        rendering.render_views(tmp_path, tmp_path, tmp_path / "out", (), Progress())
