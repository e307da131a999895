# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension in Blender: a valid zip that installs, registers and uninstalls."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from backend.shared.virtual_environments import child_variables

PACKAGES = {"backend", "kernels", "lsrm_blender"}
FILES = {"LICENSE", "__init__.py", "blender_manifest.toml", "pyproject.toml"}

INSTALL_AND_ENABLE = """
import importlib, json, os, sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
before = set(dir(bpy.types))
result = bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
name = "bl_ext.user_default.lsrm"
module = sys.modules[name]
enabled = name in bpy.context.preferences.addons
for _ in range(3):
    module.unregister()
    module.register()
preferences = importlib.import_module(name + ".lsrm_blender.preferences")
environment = preferences.environment_folder()
results = preferences.work_folder(bpy.context.scene) / "Cube" / "001"
for folder in (environment, results):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").touch()
path, modules = list(sys.path), sorted(sys.modules)
repository = [r.module for r in bpy.context.preferences.extensions.repos].index("user_default")
gone = bpy.ops.extensions.package_uninstall(repo_index=repository, pkg_id="lsrm")
answer = {
    "install": list(result), "enabled": enabled, "uninstall": list(gone),
    "left": name in bpy.context.preferences.addons, "types": set(dir(bpy.types)) == before,
    "foreign": [m for m in modules if m.split(".")[0] in ("backend", "kernels", "lsrm_blender")],
    "path": [p for p in path if "lsrm" in p],
    "environment": environment.exists(), "results": (results / "file").exists(),
}
open(sys.argv[2], "w").write(json.dumps(answer))
os._exit(0)
"""


@pytest.fixture(scope="module")
def extension_tool(blender_python) -> list[str]:
    """Blender's own tool for extensions, and its list of allowed tags."""
    code = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    found = subprocess.run([blender_python, "-c", code], capture_output=True, text=True, check=True)
    scripts = next(Path(found.stdout.strip()).glob("*/scripts"))
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    tags = scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    return [str(blender_python), str(tool), str(tags)]


@pytest.fixture(scope="module")
def package(extension_tool, repository, tmp_path_factory) -> Path:
    """The zip that users install."""
    python, tool, tags = extension_tool
    folder = tmp_path_factory.mktemp("dist")
    sources = ["--source-dir", str(repository), "--output-dir", str(folder)]
    subprocess.run([python, tool, "build", *sources, "--valid-tags", tags], check=True)
    return next(folder.glob("lsrm-*.zip"))


def test_manifest_and_zip_are_valid(extension_tool, repository, package):
    """Blender's validator accepts the manifest with its tags, and the zip made from it."""
    python, tool, tags = extension_tool
    for arguments in (["--valid-tags", tags, str(repository)], [str(package)]):
        command = [python, tool, "validate", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_zip_holds_only_what_is_needed(package):
    """The zip holds the three packages and four files; no tests, caches or hidden files."""
    with zipfile.ZipFile(package) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    assert {name.split("/")[0] for name in names} == PACKAGES | FILES
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert {
        "backend/shared/virtual_environments.py",
        "lsrm_blender/commands/command_line.py",
    } <= set(names)
    assert package.stat().st_size < 5 << 18  # sources have a megabyte; a library has more


def test_extension_installs_registers_and_uninstalls(blender_python, package, tmp_path):
    """The zip installs, registers repeatedly, imports no top-level module, and uninstalls.

    With the extension goes the backend's environment, but no result.
    """
    answer = tmp_path / "answer.json"
    variables = child_variables(
        BLENDER_USER_RESOURCES=str(tmp_path / "user"), HOME=str(tmp_path), USERPROFILE=str(tmp_path)
    )
    del variables["PYTHONPATH"]
    command = [blender_python, "-c", INSTALL_AND_ENABLE, package, answer]
    result = subprocess.run(
        command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(answer.read_text()) == {
        "install": ["FINISHED"],
        "enabled": True,
        "uninstall": ["FINISHED"],
        "left": False,
        "types": True,
        "foreign": [],
        "path": [],
        "environment": False,
        "results": True,
    }
    assert "Traceback" not in result.stderr


def test_package_can_be_imported_without_blender(repository):
    """The backend's Python can import the root, so that tests and tools may look inside."""
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location(
        "lsrm_without_bpy",
        repository / "__init__.py",
        submodule_search_locations=[str(repository)],
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["lsrm_without_bpy"] = package
    spec.loader.exec_module(package)
    assert callable(package.register)
    assert callable(package.unregister)
