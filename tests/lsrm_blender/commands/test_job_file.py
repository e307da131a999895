# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`convert` for farms: the options of job files, and progress for engines."""

from __future__ import annotations

import json

import pytest

from backend.shared.progress import Progress

NAMES = ('--environment=it\'s a "sky" é', "--checkpoint=none", "--material=rgb")
NUMBERS = ("--views=7", "--size=99", "--samples=3", "--seed=-5", "--threads=2", "--faces=123")
OTHERS = ("--refine=90", "--device=cuda:0,1", "--retry-failed", "--retries=3", "--time-limit=60.5")
PRODUCTS = ("--formats=glb,obj", "--relight=softboxes", "--relight=sky é", "--quads")


@pytest.fixture
def parse(lsrm):
    """The parser of the command line."""
    return lsrm("lsrm_blender.commands.command_line").parse


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--write-job", "slurm"], "--job-file"),
        (["--job-file", "job"], "--write-job"),
        (["--write-job", "slurm", "--job-file", "job", "--force"], "--force"),
        (["--write-job", "slurm", "--job-file", "job", "--fail-fast"], "--fail-fast"),
        (["--write-job", "slurm", "--job-file", "job", "--dry-run"], "--dry-run"),
        (["--write-job", "slurm", "--job-file", "job", "--shard", "1/2"], "--shard"),
        (["--write-job", "cron", "--job-file", "job"], "cron"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(parse, capsys, options, message):
    """The message names the option."""
    with pytest.raises(SystemExit) as stop:
        parse(["convert", "a.glb", "-o", "out", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_task_of_a_job_has_the_options_of_the_command(lsrm_blender, parse, tmp_path):
    """What the program of a task parses is what the user gave, with absolute paths."""
    (tmp_path / "assets").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "assets" / f"{name}.obj").write_text("v 0 0 0")
    pattern, output = tmp_path / "*ss*" / "*.obj", tmp_path / "it's é"
    given = [str(pattern), "-o", str(output), *NAMES, *NUMBERS, *OTHERS, *PRODUCTS]
    job = ["--write-job", "openjd", "--job-file", tmp_path / "job.json", "--chunk-size", "2"]
    done = lsrm_blender("convert", *given, *job, "--task-time-limit", "77", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "job_file": str(tmp_path / "job.json"), "items": 3, "shards": 2,
    }  # fmt: skip
    template = json.loads((tmp_path / "job.json").read_text("utf-8"))
    action = template["steps"][0]["script"]["actions"]["onRun"]
    values = {each["name"]: each["default"] for each in template["parameterDefinitions"]}
    words = [values.get(word[8:-2], word) for word in action["args"]]
    words[words.index("--shard") + 1] = "1/2"
    task = parse(words[words.index("convert") :])
    expected = parse(["convert", *given, "--shard=1/2", "--exit-zero", "--progress=openjd"])
    assert vars(task) == vars(expected)
    assert action["timeout"] == 77
    assert not output.exists()


def test_engines_of_open_job_description_read_the_progress(lsrm):
    """One number for the share of the items, and one line for what is done now."""
    lines, reports = [], []
    module = lsrm("lsrm_blender.jobs.job_files.progress_lines")
    listener = module.OpenJdProgress(lines.append, lambda *report: reports.append(report))
    progress = Progress(listener)
    progress.report("items", 0.25, "[4/12] a\nchair")
    progress.report("refine", 0.5)
    assert "".join(lines) == (
        "openjd_progress: 25.0\nopenjd_status: items 25 % [4/12] a chair\n"
        "openjd_status: refine 50 %\n"
    )
    assert len(reports) == 2
