# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue: order, pause, removal, and what becomes of each task."""

from __future__ import annotations

from pathlib import Path

import pytest

WAITING, RUNNING, DONE, FAILED, STOPPED = "WAITING", "RUNNING", "DONE", "FAILED", "STOPPED"


class Child:
    """Stands for a child process; its job ends when the test says so."""

    child, has_child, busy = None, False, False

    def __init__(self, make_job):
        self.make_job = make_job
        self.broken = False

    def refresh(self):
        """There is no other command."""

    def submit(self, method, params):
        """The job, which `end` finishes."""
        if self.broken:
            raise RuntimeError("something unforeseen")
        self.job = self.make_job(0, method, params)
        return self.job

    def end(self, error=None):
        """Finish the job."""
        self.job.error, self.job.finished = error, True

    def pump(self):
        """Nothing is to be pumped."""

    def cancel(self, job, *, now):
        """A job that is done cannot be stopped."""

    def close(self):
        """Nothing is to be ended."""


@pytest.fixture
def child(lsrm):
    return Child(lsrm("lsrm_blender.jobs.job").Job)


@pytest.fixture
def errors(lsrm):
    return lsrm("backend.shared.errors")


@pytest.fixture
def session(lsrm, child):
    return lsrm("lsrm_blender.jobs.session").Session(lambda _: child)


@pytest.fixture
def queue(lsrm, session, child):
    made = lsrm("lsrm_blender.jobs.task_queue").TaskQueue(session)
    made.child = child
    return made


@pytest.fixture
def task(lsrm):
    """Makes a task of one step; a list gets its title when what it holds is released."""
    module = lsrm("lsrm_blender.jobs.task")

    def make(title, ends):
        def steps():
            with made.held:
                yield module.Step("backend", title, {}, title)
                return module.Outcome(f"{title} is done", f"/{title}")

        made = module.Task(title, steps())
        made.held.callback(ends.append, title)
        return made

    return make


@pytest.fixture
def filled(queue, task):
    """Puts tasks into the queue; returns the list of those that have released what they held."""

    def fill(*titles):
        ends = []
        for title in titles:
            queue.add(task(title, ends), "Scene")
        return ends

    return fill


def states(queue):
    return [(item.title, item.state) for item in queue.items]


def test_tasks_run_in_order(queue, child, filled):
    ends = filled("a", "b")
    assert states(queue) == [("a", WAITING), ("b", WAITING)]
    queue.pump()
    assert states(queue) == [("a", RUNNING), ("b", WAITING)]
    child.end()
    assert queue.pump()
    assert states(queue) == [("a", DONE), ("b", RUNNING)]
    assert (queue.items[0].note, queue.items[0].result, ends) == ("a is done", "/a", ["a"])
    child.end()
    queue.pump()
    assert (states(queue)[1], queue.busy) == (("b", DONE), False)
    queue.imported(Path("/a"))
    assert [item.result for item in queue.items] == ["", "/b"]


def test_pause_lets_the_running_task_end(queue, child, filled):
    filled("a", "b")
    queue.pump()
    queue.paused = True
    assert queue.busy
    child.end()
    queue.pump()
    queue.pump()
    assert states(queue) == [("a", DONE), ("b", WAITING)]
    assert not queue.busy
    queue.paused = False
    queue.pump()
    assert states(queue) == [("a", DONE), ("b", RUNNING)]


@pytest.mark.parametrize(
    ("error", "states_after"),
    [
        ("BadAsset", (FAILED, RUNNING)),
        ("Cancelled", (STOPPED, WAITING)),
        ("EnvironmentBroken", (FAILED, WAITING)),
    ],
)
def test_what_follows_a_task_that_ends_early(queue, filled, errors, error, states_after):
    ends = filled("a", "b")
    queue.pump()
    queue.child.end(getattr(errors, error)("What.", "Remedy."))
    queue.pump()
    assert states(queue) == list(zip("ab", states_after, strict=True))
    assert queue.items[0].note == "What. Remedy."
    assert (queue.paused, ends) == (states_after[1] == WAITING, ["a"])


def test_tasks_move_and_are_removed_with_what_they_hold(queue, filled, errors):
    ends = filled("a", "b", "c")
    a, b, c = (item.number for item in queue.items)
    queue.move(c, -1)
    queue.move(a, -1)
    assert [item.title for item in queue.items] == ["a", "c", "b"]
    queue.remove(c)
    assert ends == ["c"]
    queue.pump()
    with pytest.raises(errors.LsrmError, match="running"):
        queue.remove(a)
    queue.remove_finished()
    assert states(queue) == [("a", RUNNING), ("b", WAITING)]
    queue.move(b, 5)
    queue.close()
    assert (queue.items, ends) == ((), ["c", "b"])


def test_a_task_waits_for_another_one_of_the_session(session, queue, task, filled, errors):
    session.start(task("other", []))
    filled("a")
    queue.pump()
    assert states(queue) == [("a", WAITING)]
    queue.child.end()
    queue.pump()
    assert states(queue) == [("a", RUNNING)]
    ends = []
    with pytest.raises(errors.LsrmError, match="still running"):
        session.start(task("refused", ends))
    assert ends == ["refused"]


def test_a_step_that_cannot_be_started_ends_its_task(session, queue, child, task, filled):
    """Nothing stays running for ever, what the task held is released, and others go on."""
    child.broken, ends = True, []
    with pytest.raises(RuntimeError, match="unforeseen"):
        session.start(task("first", ends))
    assert (session.state.running, ends) == (False, ["first"])
    assert "something unforeseen" in session.state.error[1]
    ends = filled("a", "b")
    with pytest.raises(RuntimeError, match="unforeseen"):
        queue.pump()
    child.broken = False
    queue.pump()
    assert (states(queue), ends) == ([("a", FAILED), ("b", RUNNING)], ["a"])


def test_a_stop_that_reaches_a_step_at_its_end_stops_the_task(session, child, lsrm):
    """The next step is not begun, although the one before has an answer."""
    tasks = lsrm("lsrm_blender.jobs.task")
    session.start(tasks.Task("T", (tasks.Step("backend", title, {}, title) for title in "ab")))
    child.end()
    session.cancel()
    session.pump()
    assert (session.state.running, session.state.error[0]) == (False, "CANCELLED")
    assert child.job.method == "a"


def test_a_warning_is_there_while_the_step_that_it_is_for_runs(session, child, lsrm, caplog):
    """It is shown and logged before anything is made of the views, and not of other ones later."""
    tasks = lsrm("lsrm_blender.jobs.task")
    steps = (tasks.Step("backend", each, {}, each, warnings=(f"Dark {each}.",)) for each in "ab")
    session.start(tasks.Task("T", steps))
    assert session.state.warnings == ("Dark a.",)
    assert "T: Dark a." in caplog.text
    child.end()
    assert session.pump()
    assert session.state.warnings == ("Dark b.",)
    child.end()
    session.pump()
    assert session.state.warnings == ()


def test_numbers_are_shown_twice_a_second(lsrm, child, task):
    """Another stage is shown at once; numbers that were held back are shown when it is time."""
    now = [0.0]
    session = lsrm("lsrm_blender.jobs.session").Session(lambda _: child, lambda: now[0])
    progress = lsrm("lsrm_blender.jobs.job").JobProgress
    session.start(task("a", []))

    def shown(at, stage, fraction):
        now[0], child.job.progress = at, progress(stage, fraction)
        return session.pump()

    assert shown(0.0, "mesh", 0.1)
    assert not shown(0.1, "mesh", 0.2)
    assert not shown(0.4, "mesh", 0.3)
    assert shown(0.6, "mesh", 0.3)
    assert not shown(0.7, "mesh", 0.4)
    assert shown(0.8, "texture", 0.0)
