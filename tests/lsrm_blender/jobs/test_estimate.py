# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job will take: seconds, which jobs correct, and room on disk and in memory."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture(scope="module")
def estimate(lsrm):
    return lsrm("lsrm_blender.jobs.estimate")


@pytest.fixture(scope="module")
def qualities(lsrm):
    return lsrm("lsrm_blender.jobs.quality").QUALITIES


@pytest.fixture(scope="module")
def room(lsrm):
    return lsrm("lsrm_blender.jobs.room")


@pytest.fixture(scope="module")
def errors(lsrm):
    return lsrm("backend.shared.errors")


def test_better_takes_longer(estimate, qualities):
    """From draft to best, each quality costs more of everything."""
    work = [estimate.Workload(each) for each in qualities.values()]
    for name in ("disk", "memory"):
        values = [getattr(each, name) for each in work]
        assert values == sorted(values), name
    for name in ("capture_stages", "reconstruct_stages"):
        seconds = [sum(getattr(each, name).values()) for each in work]
        assert seconds == sorted(seconds), name
    draft = {**work[0].capture_stages, **work[0].reconstruct_stages}
    assert sum(draft.values()) < 60.0
    assert not draft.keys() & {"refine", "sparse stage"}
    assert "sparse stage" in estimate.Workload(work[0].quality, "mini").reconstruct_stages


def test_jobs_correct_the_estimate(estimate, tmp_path):
    """A machine that is twice as slow is known as such, also by the next session."""
    path = tmp_path / "costs" / "seconds.json"
    costs = estimate.LearnedCosts(path)
    assert costs.seconds("capture", {"": 2.0, "capture": 10.0}) == {"": 2.0, "capture": 10.0}
    costs.learn("capture", {"": 2.0, "capture": 300.0}, {"capture": 600.0, "unknown": 1.0})
    again = estimate.LearnedCosts(path).seconds("capture", {"": 2.0, "capture": 30.0})
    assert again == pytest.approx({"": 2.0, "capture": 60.0}, rel=0.02)
    for _ in range(20):
        costs.learn("capture", {"capture": 30.0}, {"capture": 15.0})  # a faster one was bought
    assert costs.seconds("capture", {"capture": 30.0})["capture"] == pytest.approx(15.0, rel=0.02)
    costs.learn("import", {"": 0.3}, {"": 3.0})  # most of this was the first start of a process
    assert costs.seconds("import", {"": 10.0})[""] < 15.0
    assert costs.seconds("reconstruct", {"capture": 7.0}) == {"capture": 7.0}


@pytest.mark.parametrize("text", ["", "[]", '{"capture/": "fast"}', '{"capture/": -1}', "\0"])
def test_a_damaged_file_is_as_none(estimate, tmp_path, text):
    """What an editor or a crash has left does not stop the panel."""
    path = tmp_path / "seconds.json"
    path.write_text(text, "utf-8")
    assert estimate.LearnedCosts(path).seconds("capture", {"": 3.0}) == {"": 3.0}


def test_room(room, errors, tmp_path):
    """Folders that are files, full disks and too little memory are errors before the work."""
    assert room.check_folder(tmp_path / "new" / "folder") == tmp_path
    room.check_disk(tmp_path, 1.0)
    room.check_memory(1.0)
    with pytest.raises(errors.DiskFull):
        room.check_disk(tmp_path, 1e18)
    (tmp_path / "file").touch()
    with pytest.raises(errors.OutputNotWritable):
        room.check_folder(tmp_path / "file" / "below")
    if sys.platform == "linux":
        with pytest.raises(errors.OutOfMemory):
            room.check_memory(1e18)


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="needs permissions that bind this user"
)
def test_a_locked_folder_is_an_error(room, errors, tmp_path):
    """A folder that refuses to be written is noticed without writing to it."""
    tmp_path.chmod(0o500)
    with pytest.raises(errors.OutputNotWritable):
        room.check_folder(tmp_path / "new")
