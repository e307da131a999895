# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set is a batch: each asset in a light of its own, packed, listed, and not made twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.small_batch import CUBE


@dataclass
class RecordingClient:
    """A client that remembers what it is sent, and makes the file that it is asked for.

    Attributes:
        requests: the methods and parameters so far.
        child: the process; there is none.
    """

    requests: list = field(default_factory=list)
    child: None = None

    def submit(self, method: str, params: dict) -> tuple[str, dict]:
        """Record a request."""
        self.requests.append((method, params))
        return method, params

    def pump(self) -> None:
        """Nothing to receive."""

    def wait(self, job: tuple[str, dict], progress, beside=None) -> dict:
        """Do a job: a capture is a folder, a packed sample a file."""
        method, params = job
        output = Path(params["output"])
        if method == "capture":
            output.mkdir()
        else:
            assert Path(params["views"]).is_dir()
            output.write_bytes(b"sample")
        report = {"counts": {"views": 4}, "metrics": {}, "seconds": 1, "warnings": []}
        return {"report": report}

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def datasets(lsrm):
    """The module of batches that make data sets."""
    return lsrm("lsrm_blender.jobs.batch.datasets")


@pytest.fixture
def run(lsrm, datasets, tmp_path):
    """A function that makes a data set of a, b and c; returns the states and the requests."""
    jobs = "lsrm_blender.jobs"
    batch, items = lsrm(f"{jobs}.batch.batch"), lsrm(f"{jobs}.batch.items")
    for name in "abc":
        (tmp_path / f"{name}.obj").write_text(CUBE + f"# {name}")

    def make(shard: str = "1/1", **options):
        output = tmp_path / "out"
        output.mkdir(exist_ok=True)
        part = lsrm(f"{jobs}.farm.shards").shard_setting(shard)
        found = items.find_items([str(tmp_path)], (".obj",), output)
        found = [item for item in found if part.has(item.name)]
        client = RecordingClient()
        lights = {"lights": ("softboxes", "forest"), "strengths": (1.0, 0.5)}
        settings = datasets.DatasetSettings(**lights, **options)
        log = batch.BatchLog(None, lambda text: None)
        with lsrm(f"{jobs}.farm.runs").Run(output, part) as this:
            work = batch.Batch(found, this, settings, batch.Children(client, client), log)
            summary = work.run(lsrm("backend.shared.progress").Progress())
        datasets.write_dataset_index(output)
        return {entry["name"]: entry["state"] for entry in summary["items"]}, client.requests

    return make


def test_captures_are_packed_and_removed(run, tmp_path):
    """Every asset becomes one file; the index lists them, and a second run makes nothing."""
    states, requests = run()
    assert states == dict.fromkeys("abc", "done")
    assert [method for method, _ in requests].count("pack") == 3
    index = json.loads((tmp_path / "out" / "index.json").read_text())["objects"]
    assert index == [{"name": name, "file": f"{name}/sample.safetensors"} for name in "abc"]
    assert not list(tmp_path.glob("out/*/capture"))
    assert run() == (dict.fromkeys("abc", "skipped"), [])
    (tmp_path / "out" / "b" / "sample.safetensors").unlink()
    assert run()[0] == {"a": "skipped", "b": "done", "c": "skipped"}
    assert set(run(seed=1)[0].values()) == {"done"}


def test_shards_share_an_index(run, tmp_path):
    """Runs of different shards make different assets; the index has those of all."""
    states = [run(f"{number}/3")[0] for number in (1, 2, 3)]
    assert sorted(name for each in states for name in each) == ["a", "b", "c"]
    index = json.loads((tmp_path / "out" / "index.json").read_text())["objects"]
    assert [each["name"] for each in index] == ["a", "b", "c"]


def test_lights_are_those_of_the_item(datasets, lsrm):
    """Light and lens follow from seed and name alone, and differ between items."""
    item = lsrm("lsrm_blender.jobs.batch.items").Item
    lights = {"lights": ("a", "b", "c"), "strengths": (1.0, 10.0, 100.0)}
    settings = datasets.DatasetSettings(capture={"size": 64}, **lights, seed=3)
    found = [settings.capture_of(item(Path(f"{name}.glb"), name)) for name in ("mug", "lamp")]
    assert found[0] == settings.capture_of(item(Path("elsewhere/mug.glb"), "mug"))
    assert found[0]["size"] == 64
    for key in ("environment_rotation", "environment_strength", "field_of_view", "seed"):
        assert found[0][key] != found[1][key]
    many = [settings.capture_of(item(Path("x"), str(number))) for number in range(40)]
    assert {each["environment"] for each in many} == {"a", "b", "c"}
    for each in many:
        usual = dict(zip(*lights.values(), strict=True))[each["environment"]]
        assert 0.5 < each["environment_strength"] / usual < 2
    other = datasets.DatasetSettings(capture={"size": 64}, **lights, seed=4)
    assert other.digest != settings.digest
