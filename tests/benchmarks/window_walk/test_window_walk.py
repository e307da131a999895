# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the walk through the window measures and reads, without a window."""

from __future__ import annotations

import faulthandler
import json
import os
import struct
import subprocess
import sys
import time
import zipfile

import pytest
from PIL import Image

from benchmarks.window_walk import pictures
from benchmarks.window_walk.display import read_screenshot
from benchmarks.window_walk.empty_wheels import write_wheels
from benchmarks.window_walk.in_blender import stalls


def test_the_longest_stall_of_each_state(monkeypatch):
    """Stalls count for the state they began in; what is forgotten counts for none."""
    times = iter([
        (0.0, 0.0), (0.1, 0.1), (0.12, 0.1), (0.52, 0.2), (0.54, 0.2), (0.6, 0.3), (0.62, 0.3),
        (9.0, 8.0), (9.2, 8.1), (9.22, 8.1),
    ])  # fmt: skip
    monkeypatch.setattr(stalls, "now", lambda: next(times))
    timer = stalls.StallTimer(last=stalls.now())
    timer.tick()  # before the first state
    timer.state = "one"
    timer.tick()
    timer.tick()
    timer.forget()
    timer.state = "two"
    timer.tick()
    assert set(timer.longest) == {"one", "two"}
    assert timer.longest["one"].wall == pytest.approx(0.4)
    assert timer.longest["one"].cpu == pytest.approx(0.1)
    assert timer.longest["two"].wall == pytest.approx(0.2)


def test_functions_are_named_that_run_in_a_stall(tmp_path):
    """What holds up the timer is in the trace, below the name of its state."""
    with (tmp_path / "stalls.txt").open("w") as trace:
        timer = stalls.StallTimer(trace=trace)
        timer.begin("busy")
        timer.tick()
        time.sleep(2.0 * stalls.LIMIT)
        faulthandler.cancel_dump_traceback_later()
    text = (tmp_path / "stalls.txt").read_text()
    assert text.startswith("\nbusy\n")
    assert "in test_functions_are_named_that_run_in_a_stall" in text


def test_empty_wheels_stand_for_the_download(tmp_path):
    """One for every requirement of this system, with the name and version that pip looks for."""
    requirements = ("torch==2.0.1", "scikit-image==0.2", "none==1; platform_system == 'Nowhere'")
    write_wheels(requirements, tmp_path / "wheels")
    found = sorted(each.name for each in (tmp_path / "wheels").iterdir())
    assert found == ["scikit_image-0.2-py3-none-any.whl", "torch-2.0.1-py3-none-any.whl"]
    with zipfile.ZipFile(tmp_path / "wheels" / found[0]) as wheel:
        text = wheel.read("scikit_image-0.2.dist-info/METADATA").decode()
    assert "Name: scikit-image\nVersion: 0.2\n" in text


def test_a_screenshot_is_read(tmp_path):
    """Size, lines and colors are those of the display's memory."""
    width, height, stride = 3, 2, 16
    header = [108, 7, 2, 24, width, height, 0, 0, 32, 0, 32, 32, stride, *([0] * 6), 1, *([0] * 5)]
    line = bytes([30, 20, 10, 0]) * width + bytes(stride - 4 * width)
    content = struct.pack(">25I", *header) + bytes(8 + 12) + line * height
    (tmp_path / "shot.xwd").write_bytes(content)
    picture = read_screenshot(tmp_path / "shot.xwd")
    assert picture.size == (width, height)
    assert {picture.getpixel((x, y)) for x in range(width) for y in range(height)} == {(10, 20, 30)}
    assert isinstance(picture, Image.Image)


@pytest.mark.parametrize(("blender", "missing"), [("no-such", "no-such"), ("python", "Xvfb")])
def test_without_blender_or_display_it_says_so(repository, tmp_path, blender, missing):
    """The walk is skipped with the reason, and the exit code of a machine that lacks something."""
    (tmp_path / "python").symlink_to(sys.executable)
    command = [sys.executable, "-m", "benchmarks.window_walk", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--blender", blender], cwd=repository, env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert f"Skipped: there is no {missing}" in done.stdout + done.stderr


def test_pictures_of_the_window_are_cut_from_the_walk(tmp_path):
    """A picture ends at the right side of the sidebar, and begins at its upper side."""
    shown = [(each.state, each.file) for each in pictures.PICTURES]
    states = []
    for number, (state, _) in enumerate(shown):
        name = f"{number:02d}_{state}"
        states.append({"state": name, "sidebar": [800, 40, 1000, 900]})
        shot = Image.new("RGB", (1200, 1000), (200, 0, 0))
        shot.paste((0, 0, 200), (0, 0, 1000, 40))
        shot.paste((0, 0, 200), (1000, 0, 1200, 1000))
        shot.save(tmp_path / f"{name}.png")
    (tmp_path / "walk.json").write_text(json.dumps({"states": states}))
    pictures.cut(tmp_path, tmp_path)
    for each in pictures.PICTURES:
        with Image.open(tmp_path / each.file) as made:
            assert made.size == (each.width, each.height)
            assert made.convert("RGB").getcolors() == [(each.width * each.height, (200, 0, 0))]


def test_all_pictures_of_the_pages_can_be_made_again(repository):
    """The command that makes pictures anew knows every one, and they stay small."""
    files = list((repository / "docs").glob("*.png"))
    assert {each.name for each in files} == {pictures.DEMO, *(p.file for p in pictures.PICTURES)}
    assert sum(each.stat().st_size for each in files) < 1_500_000
