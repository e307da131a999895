# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures ahead: the next item is captured beside a reconstruction, where memory allows."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

CAPTURED = {"source": {"files": []}, "warnings": []}
REPORT = {"counts": {"faces": 12}, "metrics": {}, "seconds": 1, "warnings": []}


class RecordingClient:
    """A child that answers at once, and records what it is for in the order of requests.

    Args:
        events: receives `submit METHOD ITEM`, `wait METHOD ITEM` and `close`.
        failures: what waiting for an item raises, by item.
    """

    child = None

    def __init__(self, events: list, failures: dict) -> None:
        self.events, self.failures = events, failures

    def submit(self, method: str, params: dict) -> tuple[str, str]:
        """Record the request."""
        name = Path(params["output"]).parent.name
        self.events.append(f"submit {method} {name}")
        return method, name

    def pump(self) -> None:
        """Nothing to receive."""

    def wait(self, job: tuple[str, str], progress, beside=None):
        """Answer, or raise what was prepared for the item."""
        method, name = job
        self.events.append(f"wait {method} {name}")
        if name in self.failures:
            raise self.failures[name]
        return {**CAPTURED, "report": REPORT}

    def close(self) -> None:
        """Record it."""
        self.events.append("close")


@pytest.fixture
def run(lsrm, tmp_path, monkeypatch):
    """A function that converts a, b and c, and returns the states and the order of requests."""
    jobs = "lsrm_blender.jobs"
    batch, captures = lsrm(f"{jobs}.batch.batch"), lsrm(f"{jobs}.batch.captures")
    items, settings_of = lsrm(f"{jobs}.batch.items"), lsrm(f"{jobs}.batch.settings")
    monkeypatch.setattr(lsrm(f"{jobs}.batch.conversion"), "check_mesh", lambda path: None)
    for name in "abc":
        (tmp_path / f"{name}.obj").write_text("v 0 0 0")

    def convert(capture_failures=None, backend_failures=None, free=100 << 30, **settings):
        monkeypatch.setattr(captures, "available_memory", lambda: free)
        output, events = tmp_path / "out", []
        output.mkdir(exist_ok=True)
        found = items.find_items([str(tmp_path)], (".obj",), output)
        children = batch.Children(
            RecordingClient(events, capture_failures or {}),
            RecordingClient(events, backend_failures or {}),
        )
        log = batch.BatchLog(None, lambda text: None)
        with lsrm(f"{jobs}.farm.runs").Run(output) as this:
            made = batch.Batch(found, this, settings_of.BatchSettings(**settings), children, log)
            summary = made.run(lsrm("backend.shared.progress").Progress())
        return {entry["name"]: entry["state"] for entry in summary["items"]}, events

    return convert


def test_the_next_item_is_captured_beside_a_reconstruction(run):
    """Every capture but the first begins before the wait for the reconstruction before it."""
    states, events = run()
    assert list(states.items()) == [("a", "done"), ("b", "done"), ("c", "done")]
    assert events == [
        "submit capture a", "wait capture a", "submit reconstruct a",
        "submit capture b", "wait reconstruct a", "wait capture b", "submit reconstruct b",
        "submit capture c", "wait reconstruct b", "wait capture c", "submit reconstruct c",
        "wait reconstruct c",
    ]  # fmt: skip


@pytest.mark.parametrize("free", [None, 1 << 30])
def test_without_free_memory_one_thing_is_done_at_a_time(run, free):
    """Where memory is short, or its size is unknown, a capture waits for its turn."""
    states, events = run(free=free)
    assert set(states.values()) == {"done"}
    assert [event for event in events if event.startswith("submit")] == [
        f"submit {method} {name}" for name in "abc" for method in ("capture", "reconstruct")
    ]


def test_a_capture_that_fails_ahead_fails_its_item_alone(run, lsrm, tmp_path):
    """The error stands in the status of the item that was captured, not of the one before."""
    broken = lsrm("backend.shared.errors").BadAsset("Not a mesh.", "Check it.")
    states, _ = run(capture_failures={"b": broken})
    assert states == {"a": "done", "b": "failed", "c": "done"}
    status = json.loads((tmp_path / "out" / "b" / "status.json").read_text())
    assert status["error"]["code"] == "BAD_ASSET"


def test_an_empty_next_item_fails_at_its_turn(run, tmp_path):
    """What is wrong with the next file does not touch the item that is reconstructed."""
    (tmp_path / "b.obj").write_text("")
    states, _ = run()
    assert states == {"a": "done", "b": "failed", "c": "done"}


def test_a_batch_that_ends_early_stops_the_capture_ahead(run, lsrm, tmp_path):
    """Nothing of the next item is left when the batch is cancelled or fails fast."""
    errors = lsrm("backend.shared.errors")
    states, events = run(backend_failures={"a": errors.Cancelled("Stopped.", "Again.")})
    assert (states, events[-1]) == ({}, "close")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a", "logs", "summary.json",
    ]  # fmt: skip


def test_a_failed_first_item_ends_a_batch_that_fails_fast(run, lsrm):
    """With --fail-fast the capture ahead is stopped, too."""
    bad = lsrm("backend.shared.errors").EmptyMask("Mask 2 is empty.", "Remove it.")
    states, events = run(backend_failures={"a": bad}, fail_fast=True)
    assert (states, events[-1]) == ({"a": "failed"}, "close")


def test_a_crashed_reconstruction_keeps_the_capture_ahead(run, lsrm):
    """The second try of an item queues behind the capture ahead, which is used at its turn."""
    died = lsrm("backend.shared.errors").BackendDied("Killed.", "Try again.")
    states, events = run(backend_failures={"a": died})
    assert states == {"a": "poisoned", "b": "done", "c": "done"}
    assert events.count("submit capture a") == 2
    assert events.count("submit capture b") == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_memory_counts_up_to_the_peak_of_a_child(lsrm, tmp_path):
    """A process that has freed 64 MiB may take them again."""
    process = lsrm("lsrm_blender.jobs.child_process")
    text = "x = bytearray(1 << 26); del x; print('freed', flush=True); input()"
    child = process.ChildProcess(
        process.ChildCommand("A child", (sys.executable, "-c", text), tmp_path / "log.txt")
    )
    end = time.monotonic() + 30.0
    while child.received() is None and time.monotonic() < end:
        time.sleep(0.01)
    memory = child.memory()
    assert memory.peak - memory.used > 60 << 20
    child.kill()
    assert child.memory().used == 0


@pytest.mark.parametrize("deadly", ["a", "b"])
def test_an_item_at_which_a_process_died_is_converted_alone(run, tmp_path, deadly):
    """So that a second death is its own, and not counted against its neighbor, too."""
    (tmp_path / "out" / deadly).mkdir(parents=True)
    (tmp_path / "out" / deadly / "lease-1.json").touch()
    os.utime(tmp_path / "out" / deadly / "lease-1.json", (0, 0))
    states, events = run()
    assert set(states.values()) == {"done"}
    assert events.index("submit capture b") > events.index("wait reconstruct a")
    assert (events.index("submit capture c") > events.index("wait reconstruct b")) == (
        deadly == "b"
    )


def test_what_others_hold_is_not_captured_ahead(run, tmp_path):
    """The capture ahead takes the lease of its item, as any conversion."""
    (tmp_path / "out" / "b").mkdir(parents=True)
    (tmp_path / "out" / "b" / "lease-1.json").touch()
    states, events = run()
    assert states == {"a": "done", "b": "held", "c": "done"}
    assert not any(event.endswith(" b") for event in events)
