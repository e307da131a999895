# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Farms on one machine: killed shards are run again, nothing is lost and nothing done twice."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsrm_blender.jobs.farm.shards import Shard
from tests.small_batch import CUBE, QUICK

SHARDS = 4
ASSETS_PER_SHARD = 3
OPENJD = [sys.executable, "-m", "openjd", "run"]
MINUTES = 60.0

SLURM_CONF = """
ClusterName=lsrm
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def names_of(shard: int) -> list[str]:
    """The names of the assets of a shard: as many as every other shard has."""
    part = Shard(shard, SHARDS)
    names = (f"asset {number} é" for number in range(1000))
    return [name for name in names if part.has(name)][:ASSETS_PER_SHARD]


@pytest.fixture
def assets(tmp_path) -> Path:
    """A folder of twelve small assets."""
    folder = tmp_path / "small assets"
    folder.mkdir()
    for shard in range(1, SHARDS + 1):
        for name in names_of(shard):
            (folder / f"{name}.obj").write_text(f"{CUBE}# {name}\n")
    return folder


@pytest.fixture
def write_job(lsrm_blender, assets, tmp_path):
    """A function that writes the conversion of the assets as a job for a scheduler."""

    def write(scheduler: str, file: str) -> Path:
        path, output = tmp_path / file, tmp_path / "the results"
        job = ["--write-job", scheduler, "--job-file", path, "--chunk-size", ASSETS_PER_SHARD]
        done = lsrm_blender("convert", assets, "-o", output, *job, *QUICK)
        assert done.returncode == 0, done.stderr
        return path

    return write


@pytest.fixture
def variables(blender_variables) -> dict[str, str]:
    """The environment of the schedulers: what they hand to their tasks."""
    return {**blender_variables, "OMP_NUM_THREADS": "1"}


def states(output: Path, names: list[str]) -> list[str]:
    """The states of some items; items without a status are left out."""
    paths = [output / name / "status.json" for name in names]
    return [json.loads(path.read_text("utf-8"))["state"] for path in paths if path.exists()]


def wait_until(condition, seconds: float, what: str) -> None:
    """Wait for a condition; fail if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"timed out: {what}"
        time.sleep(0.2)


def processes_of(shard: int) -> list[int]:
    """The processes that convert a shard."""
    wanted = ["--shard", f"{shard}/{SHARDS}"]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        is_python = "python" in Path(words[0]).name
        if is_python and any(words[i : i + 2] == wanted for i in range(len(words))):
            found.append(int(path.parent.name))
    return found


def kill_in_the_middle(output: Path, shard: int) -> None:
    """Kill the process of a shard when it has converted one of its items."""
    names = names_of(shard)
    wait_until(lambda: "done" in states(output, names), 10 * MINUTES, f"first item of {shard}")
    (process,) = processes_of(shard)
    assert states(output, names).count("done") < ASSETS_PER_SHARD
    os.kill(process, signal.SIGKILL)


def check_results(lsrm_blender, output: Path) -> None:
    """All items are done, each exactly once, and the merged report says so."""
    done = lsrm_blender("convert", "--merge-report", output, "--json")
    assert done.returncode == 0, done.stderr
    names = sorted(name for shard in range(1, SHARDS + 1) for name in names_of(shard))
    assert states(output, names) == ["done"] * len(names)
    logs = [line for log in output.rglob("log.jsonl") for line in log.read_text().splitlines()]
    events = [json.loads(line) for line in logs]
    finished = [each["item"] for each in events if each["event"] == "end"]
    assert sorted(finished) == names
    assert all((output / name / "result" / "mesh.glb").is_file() for name in names)


def test_a_job_template_survives_killed_tasks(write_job, variables, lsrm_blender, tmp_path):
    """Two of four tasks are killed in the middle and run again by `openjd run`."""
    if importlib.util.find_spec("openjd") is None:
        pytest.skip("needs the extra `dev`: openjd-cli")
    template, output = write_job("openjd", "job.json"), tmp_path / "the results"
    environment = {**variables, "PYTHONPATH": os.pathsep.join(sys.path)}

    printed = tmp_path / "printed.txt"

    def start(*arguments: str) -> subprocess.Popen:
        with printed.open("ab") as log:
            return subprocess.Popen(
                [*OPENJD, str(template), *arguments], env=environment, stdout=log, stderr=log
            )

    def start_task(shard: int) -> subprocess.Popen:
        return start("--step", "Convert", "--task-param", f"Shard={shard}")

    killed = {shard: start_task(shard) for shard in (1, 2)}
    for shard, task in killed.items():
        kill_in_the_middle(output, shard)
        assert task.wait(5 * MINUTES) != 0
    for shards in ((1, 2), (3, 4)):
        for task in [start_task(shard) for shard in shards]:
            assert task.wait(10 * MINUTES) == 0
    assert start("--step", "MergeReport", "--no-run-dependencies").wait(5 * MINUTES) == 0
    check_results(lsrm_blender, output)
    lines = printed.read_text("utf-8")
    assert "openjd_progress: 66.7\n" in lines
    assert "openjd_status: items 67 % [3/3] asset" in lines


@pytest.fixture
def slurm(tmp_path, variables):
    """A cluster of one node, SLURM's own programs: a function that runs one of its commands."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not which(name)]
    if missing:
        pytest.skip(f"needs SLURM, Debian's slurm-wlm: no {missing[0]}")
    if os.geteuid() != 0:
        pytest.skip("needs root: slurmd starts the processes of its jobs as their users")
    folder = tmp_path / "slurm"
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    (folder / "key").write_bytes(os.urandom(128))
    (folder / "key").chmod(0o600)
    config = folder / "slurm.conf"
    ports = {"controller_port": free_port(), "node_port": free_port()}
    config.write_text(SLURM_CONF.format(folder=folder, host=short_host_name(), **ports))
    environment = {**variables, "SLURM_CONF": str(config)}
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket",
         f"--key-file={folder}/key", f"--pid-file={folder}/munged.pid",
         f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"],
        ["slurmctld", "-D", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config)],
    )  # fmt: skip

    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else ""

    with (folder / "daemons.txt").open("w") as log:
        daemons = []
        for command in commands:
            command[0] = which(command[0])
            daemons.append(
                subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
            )
            time.sleep(1.0)
        try:
            wait_until(lambda: "idle" in run("sinfo"), MINUTES, "the node of SLURM")
            yield run
        finally:
            run("scancel", "--user", "root")
            run("scancel", "--signal=KILL", "--user", "root")
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait(30)


def which(program: str) -> str | None:
    """The path of a program, also of those for administrators."""
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def short_host_name() -> str:
    """The name by which SLURM knows this machine."""
    return socket.gethostname().split(".")[0]


def free_port() -> int:
    """A port that no one uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_array_of_slurm_survives_killed_tasks(write_job, slurm, lsrm_blender, tmp_path):
    """Two of four tasks are killed in the middle; the script queues them again, then reports."""
    script, output = write_job("slurm", "job.sh"), tmp_path / "the results"
    assert "Submitted" in slurm("bash", str(script))
    for shard in (1, 2):
        kill_in_the_middle(output, shard)
    wait_until(lambda: slurm("squeue", "--noheader") == "", 20 * MINUTES, "the jobs of SLURM")
    report = [path.read_text("utf-8") for path in (tmp_path / "slurm").glob("slurm-*.out")]
    assert sum(f"{SHARDS * ASSETS_PER_SHARD} done" in text for text in report) == 1, report
    check_results(lsrm_blender, output)
