# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in the preferences, the removal of the backend, checkpoints, and the log."""

from __future__ import annotations

import pytest

SETUP = """
session = module_of("jobs.session")
state_module = module_of("ui.setup.setup_state")
page = module_of("ui.setup.addon_preferences")
files = module_of("ui.setup.released_files")
preferences = module_of("preferences")
kind = page.LSRM_AP_preferences
state = bpy.context.window_manager.lsrm_setup
run.show(session.SessionState())

def texts(problem="", own=False, driver=0, shown=None, checkpoints="", **fields):
    state.known, state.problem, state.own, state.driver = True, problem, own, driver
    state.python = "" if problem else "/somewhere/python"
    state.checkpoints, state.build = checkpoints, "cu126" if own else ""
    state_module._driver.version, state.seen_at = driver, time.monotonic()
    run.show(shown or session.SessionState())
    names = [*kind.__annotations__, *files.ReleasedFiles.__annotations__]
    values = {**dict.fromkeys(names, ""), "torch_build": "auto", **fields}
    layout = drawn(kind, **values)
    return [" ".join(" ".join(layout.texts).split()), list(layout.drawn)]

missing = "The backend is not installed."
results["missing"] = texts(missing)
results["with a card"] = texts(missing, driver=590)[0]
results["too new"] = texts(missing, driver=530, torch_build="cu130")[0]
results["own"] = texts(own=True)
results["other"] = texts(backend_python="/somewhere/python")
failed = session.SessionState(
    error=("ENVIRONMENT_BROKEN", "No network.", "Connect."), operator="lsrm.install_backend"
)
results["failed"] = texts(missing, shown=failed)[0]
results["failed, then installed"] = texts(own=True, shown=failed)[0]
working = session.SessionState(running=True, step="Installing", operator="lsrm.install_backend")
results["running"] = texts(missing, shown=working)
results["stopping"] = texts(
    missing, shown=session.replace(working, stopping=True)
)
results["licensed"] = texts(checkpoints="mini, lsrm-pbr")
results["free"] = texts(checkpoints="mini")
run.show(session.SessionState())

# What the timer finds.
state.look()
results["found"] = [state.known, state.python == os.environ["LSRM_BACKEND"], state.own]
state.seen_at = time.monotonic()
state_module.look_again()
results["looks again"] = state.seen_at
os.environ["LSRM_BACKEND"] = "/no/such/python"
state.look()
results["problem"] = state.problem
del os.environ["LSRM_BACKEND"]

# Remove.
folder = preferences.environment_folder()
(folder / "backend" / "bin").mkdir(parents=True)
(folder / "backend" / "bin" / "python").touch()
results["remove"] = call(bpy.ops.lsrm.remove_backend) + [folder.exists()]
results["nothing to remove"] = call(bpy.ops.lsrm.remove_backend)

# Checkpoints.
results["no download"] = call(bpy.ops.lsrm.add_checkpoint)
refused = preferences.Preferences(license_accepted=False)
current, preferences.current = preferences.current, lambda: refused
results["no license"] = call(bpy.ops.lsrm.add_checkpoint, release=str(work))
preferences.current = current

# The self-test.
job, errors = module_of("jobs.job"), importlib.import_module("lsrm.backend.shared.errors")

class Child:
    # Stands for both child processes.
    child, has_child, busy, asked, answers = None, False, False, [], {}
    def refresh(self): pass
    def submit(self, method, params):
        Child.asked.append([method, params.get("count"), params.get("device")])
        made, answer = job.Job(0, method, params), Child.answers[len(Child.asked) - 1]
        refused = isinstance(answer, Exception)
        made.result, made.error = (None, answer) if refused else (answer, None)
        made.finished = True
        return made
    def pump(self): pass
    def close(self): pass
    def stop_idle(self): pass

make_client, timer.SESSION._make_client = timer.SESSION._make_client, lambda name: Child()
plan = {"device": "cuda:0", "card": "Card", "total": 24e9, "free": 20e9, "needed": 8e9}
torch = {"findings": [{"name": "torch", "ok": True, "found": "2.9", "remedy": "", "needed": True}]}
marker = {"name": "Denoiser", "ok": False, "found": "None.", "remedy": "Samples.", "needed": False}
stored = bpy.context.window_manager.lsrm_self_test
for name, answers in (
    ("good", [torch, plan, {"findings": []}]),
    ("small", [torch, errors.OutOfMemory("Too small.", "Fewer views."), {"findings": [marker]}]),
    ("no backend", [errors.EnvironmentBroken("No backend.", "Install it."), {"findings": []}]),
):
    Child.asked, Child.answers = [], answers
    outcome = call(bpy.ops.lsrm.self_test) + [run.note]
    results[name] = [outcome, Child.asked, [each.sentence for each in stored.findings]]
results["tested"] = texts()[0]
Child.asked, Child.answers, settings.lods = [], [torch, {"findings": []}], "many"
call(bpy.ops.lsrm.self_test)
results["no plan"] = [Child.asked, stored.findings[1].sentence]
settings.lods = ""
timer.SESSION._clients.clear()
timer.SESSION._make_client = make_client

# The log.
log = work / "log.txt"
log.write_text("One sentence.\\n")
timer.SESSION.state = session.SessionState(log=str(log))
results["log"] = call(bpy.ops.lsrm.open_log) + [bpy.data.texts["LSRM log"].as_string()]
bpy.ops.wm.save_as_mainfile(filepath=str(work / "saved.blend"))
bpy.ops.wm.open_mainfile(filepath=str(work / "saved.blend"))
results["texts in the file"] = len(bpy.data.texts)
run = bpy.context.window_manager.lsrm

# The report.
operators = module_of("ui.setup.log_operators")
copied = []
class Manager:
    # There is no clipboard without a window.
    lsrm, lsrm_self_test = run, bpy.context.window_manager.lsrm_self_test
    clipboard = property(fset=lambda self, text: copied.append(text))
error = ("BAD_ASSET", "No surface.", "Remedy.")
timer.SESSION.state = session.SessionState(title="Reconstruct Cube", log=str(log), error=error)
timer.show()
client = module_of("jobs.backend_client").Client(None)
client.about = {"version": "9.9", "python": "3.11", "torch": "2.9", "device": "Card", "memory": 8e9}
timer.SESSION._clients["backend"] = client
context = type("Context", (), {"window_manager": Manager()})()
reports = []
operator = type("Operator", (), {"report": lambda self, kind, text: reports.append(text)})()
results["copied"] = list(operators.LSRM_OT_copy_report.execute(operator, context)) + copied
timer.SESSION._clients.clear()
"""


@pytest.fixture(scope="module")
def results(run_blender, tmp_path_factory):
    """What one Blender has drawn and done."""
    return run_blender(SETUP, tmp_path_factory.mktemp("setup"))


def test_preferences_removal_and_log(results):
    """One line says how it is; what can be done is offered; the log is not saved in files."""
    text, offered = results["missing"]
    assert "Processor: 0.5 GB to download, 1.9 GB on disk" in text
    assert "lsrm.allow_online_access" in offered
    assert "lsrm.install_backend" not in offered  # Blender is offline here
    assert "CUDA 13: 2.9 GB to download" in results["with a card"]
    assert "no driver for this build" in results["too new"]
    text, offered = results["own"]
    assert "/somewhere/python (CUDA 12)" in text
    assert "lsrm.remove_backend" in offered
    assert "torch_build" not in offered
    assert "lsrm.remove_backend" not in results["other"][1]
    assert "No network. Connect." in results["failed"]
    assert "No network" not in results["failed, then installed"]
    assert "lsrm.cancel" in results["running"][1]
    assert "not installed" not in results["running"][0]
    assert "Stopping…" in results["stopping"][0]
    assert "lsrm.cancel" not in results["stopping"][1]
    assert "CC BY-NC 4.0" in results["licensed"][0]
    assert "license_accepted" in results["licensed"][1]
    assert "CC BY-NC 4.0" not in results["free"][0]
    assert results["found"] == [True, True, False]
    assert results["looks again"] < 0.0
    assert "does not exist" in results["problem"]
    assert results["remove"] == ["FINISHED", "", False]
    assert results["nothing to remove"] == ["FINISHED", ""]
    assert results["no download"][1].startswith("CHECKPOINT_MISSING")
    assert results["no license"][1].startswith("LICENSE_NOT_ACCEPTED")
    assert results["log"] == ["FINISHED", "", "One sentence.\n"]
    assert results["texts in the file"] == 0


def test_the_report_names_all_that_one_who_helps_asks_for(results):
    """Versions, device, error and the end of the log are in the clipboard."""
    outcome, text = results["copied"]
    assert outcome == "FINISHED"
    for line in (
        "Backend: version 9.9, python 3.11, torch 2.9",
        "Device: auto: Card 8.0 GB",
        "Job: Reconstruct Cube",
        "BAD_ASSET: No surface. Remedy.",
        "One sentence.",
    ):
        assert line in text.splitlines(), line
    assert text.startswith("LSRM: ")
    assert "Blender: " in text


def test_the_self_test_is_told_in_sentences(results):
    """The page says what each part has answered, and what was asked: also of the job's memory."""
    outcome, asked, sentences = results["good"]
    assert outcome == ["FINISHED", "", "2 of 2 checks have passed"]
    assert asked == [["examine", None, None], ["plan", 4, "auto"], ["examine", None, None]]
    needed = "20.0 GB of 24.0 GB free, about 8.0 GB needed, 4 views of 48 pixels"
    assert sentences == ["torch: 2.9", f"Memory for this job: cuda:0, Card: {needed}"]
    outcome, _, sentences = results["small"]
    assert outcome[2].splitlines() == ["1 of 3 checks have passed", *sentences[1:]]
    assert sentences[1:] == [
        "Memory for this job: Too small. Fewer views.", "Denoiser: None. Samples."
    ]  # fmt: skip
    assert results["no backend"][1:] == [
        [["examine", None, None]] * 2, ["Backend: No backend. Install it."]
    ]  # fmt: skip
    assert "Backend: No backend. Install it." in results["tested"]
    asked, sentence = results["no plan"]
    assert asked == [["examine", None, None]] * 2, "no plan of another job than this"
    assert sentence.startswith("Memory for this job: ")
    assert "50000,10000,2000" in sentence
