# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch makes of results: which jobs the second Blender gets, and what their failures do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path("out/mug")


@dataclasses.dataclass
class FakeBlender:
    """A second Blender whose quads fail as told.

    Attributes:
        failure: what quads raise; None waits until the job is cancelled.
        methods: of all jobs.
    """

    failure: Exception | None
    methods: list = dataclasses.field(default_factory=list)

    def submit(self, method, params):
        """A job that has begun."""
        self.methods.append(method)
        return SimpleNamespace(method=method, params=params, progress=SimpleNamespace(stage="x"))

    def wait(self, job, progress):
        """Its answer."""
        if job.method == "export":
            return {"files": ["mug/mug.obj"]}
        if self.failure is not None:
            raise self.failure
        while True:
            progress.check()


@pytest.fixture
def products(lsrm):
    """The module."""
    return lsrm("lsrm_blender.jobs.batch.products")


def make(products, lsrm, blender, **wanted):
    """Make products; the progress can be cancelled."""
    progress = lsrm("backend.shared.progress").Progress()
    return products.make_products(products.Products(**wanted), FOLDER, blender, progress)


def test_only_what_is_wanted_is_made(products, lsrm):
    """Without wishes the second Blender gets no job, and old batches keep their digest."""
    blender = FakeBlender(None)
    assert make(products, lsrm, blender) == ([], [])
    assert make(products, lsrm, blender, formats=("obj",)) == (["exports/mug/mug.obj"], [])
    assert blender.methods == ["export"]
    settings = lsrm("lsrm_blender.jobs.batch.settings").BatchSettings
    plain = settings()
    assert plain.digest == settings(products=products.Products(samples=7)).digest
    assert plain.digest != settings(products=products.Products(quads=True)).digest


def test_an_item_is_complete_with_its_products(lsrm, tmp_path):
    """A deleted export is made again."""
    statuses = lsrm("lsrm_blender.jobs.batch.statuses")
    status = statuses.Status("done", "mug.obj", "x", result={"products": ["exports/mug.obj"]})
    for name in ("result/mesh.glb", "result/report.json", "exports/mug.obj"):
        assert not statuses.is_complete(tmp_path, status)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert statuses.is_complete(tmp_path, status)


def test_a_light_with_another_content_is_another_light(products, tmp_path):
    """The digest follows the content of the HDR images."""
    light = tmp_path / "sky.hdr"
    digests = []
    for content in (b"noon", b"dusk"):
        light.write_bytes(content)
        digests.append(products.Products(relight=(str(light),)).digest())
    assert digests[0] != digests[1]


@pytest.mark.parametrize("kind", ["LsrmError", "BackendDied"])
def test_without_quads_the_item_is_done_with_a_warning(products, lsrm, kind):
    """Neither a mesh that QuadriFlow refuses nor one that crashes it costs the result."""
    failure = getattr(lsrm("backend.shared.errors"), kind)("QuadriFlow failed.", "Remesh by hand.")
    files, warnings = make(products, lsrm, FakeBlender(failure), formats=("obj",), quads=True)
    assert files == ["exports/mug/mug.obj"]
    assert warnings == ["There are no quads: QuadriFlow failed."]


def test_quads_that_take_too_long_are_given_up(products, lsrm, monkeypatch):
    """QuadriFlow does not always end; a batch does."""
    monkeypatch.setattr(products, "QUADS_SECONDS", 0.05)
    _, warnings = make(products, lsrm, FakeBlender(None), quads=True)
    assert "took over" in warnings[0]


def test_a_stopped_batch_stops_quads(products, lsrm):
    """A cancel is no failure of the quads."""
    progress = lsrm("backend.shared.progress").Progress()
    progress.cancel()
    with pytest.raises(lsrm("backend.shared.errors").Cancelled):
        products.make_products(products.Products(quads=True), FOLDER, FakeBlender(None), progress)
