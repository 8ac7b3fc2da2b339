"""`kgen doctor`: what it finds, what it calls wrong, and when kgen is usable."""

import dataclasses
import json
import sys
import time

import pytest

from kgen_cli import doctor, probe
from kgen_cli.doctor import Report, find_problems

CPU = {"version": "1.0", "devices": [{"kind": "cpu", "name": "Some CPU"}], "keras": "3.15"}
MISSING = {"version": None, "error": "not installed"}
BROKEN = {"version": "1.0", "error": "ImportError: no libfoo"}


def report(**changes):
    values = {
        "system": {}, "packages": {}, "default_backend": "tensorflow",
        "backends": {"jax": CPU, "tensorflow": CPU, "torch": MISSING},
        "folders": {"runs": {"path": "/r", "writable": True, "bytes": 0, "free_bytes": 1}},
    }  # fmt: skip
    return Report(**(values | changes))


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr(doctor, "_has_nvidia", lambda: False)


@pytest.fixture
def answers(monkeypatch):
    """Let the probes answer what a test says."""

    def set_(**by_name):
        versions = {name: found["version"] for name, found in by_name.items()}
        monkeypatch.setattr("kgen.backend.installed", lambda: versions)
        monkeypatch.setattr(
            doctor, "ask", lambda names, timeout: {name: by_name[name] for name in names}
        )

    return set_


def test_healthy_machine_has_no_problems():
    assert find_problems(report(), {"onnxruntime": ["onnxruntime-gpu"], "onnx": []}) == []


@pytest.mark.parametrize(
    ("changes", "owned", "says"),
    [
        ({}, {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"]},
         "onnxruntime and onnxruntime-gpu both install the module onnxruntime"),
        ({"backends": {"jax": BROKEN}}, {}, "jax does not work: ImportError: no libfoo."),
        ({"default_backend": None}, {}, "no backend is installed. Install one: pip install"),
        ({"folders": {"runs": {"path": "/r", "writable": False}}}, {}, "the folder of runs, /r,"),
    ],
)  # fmt: skip
def test_each_problem_is_named_with_what_to_do(changes, owned, says):
    [problem] = find_problems(report(**changes), owned)
    assert problem.startswith(says)


def test_gpu_that_no_backend_sees_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "_has_nvidia", lambda: True)
    [problem] = find_problems(report(), {})
    assert "no backend sees a GPU" in problem
    gpu = {**CPU, "devices": [{"kind": "gpu", "name": "A GPU"}]}
    assert find_problems(report(backends={"torch": gpu}), {}) == []


@pytest.mark.parametrize(
    ("backends", "default", "usable"),
    [
        ({"tensorflow": CPU}, "tensorflow", True),
        ({"tensorflow": BROKEN, "jax": CPU}, "tensorflow", False),
        ({"tensorflow": MISSING}, None, False),
        ({"tensorflow": CPU}, "misspelt", False),
    ],
)
def test_usable_means_that_the_default_backend_works(backends, default, usable):
    assert report(backends=backends, default_backend=default).usable is usable


def test_doctor_prints_every_section_and_ends_with_the_verdict(kgen, answers, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    answers(jax=CPU, tensorflow=BROKEN, torch=MISSING)
    result = kgen("doctor")
    assert result.exit_code == 0
    for text in ("System", "Backends", "Packages", "Folders", "downloaded data"):
        assert text in result.stdout
    lines = result.stdout.splitlines()
    assert "  jax               1.0: cpu (Some CPU)  <- used if none is named" in lines
    assert "  tensorflow        1.0: ImportError: no libfoo" in lines
    assert any(line.startswith("Problem: tensorflow does not work: ImportErr") for line in lines)
    assert lines[-1] == "kgen can train."


def test_doctor_says_on_how_many_devices_each_backend_trains(kgen, answers, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    gpus = [{"kind": "gpu", "name": "A GPU"}] * 4 + CPU["devices"]
    many = {**CPU, "devices": gpus}
    answers(jax=many, tensorflow=many, torch=CPU)
    lines = kgen("doctor").stdout.splitlines()
    seen = "1.0: 4 x gpu (A GPU), cpu (Some CPU); trains on 1"
    assert f"  jax               {seen} to 4 (--devices)  <- used if none is named" in lines
    assert f"  tensorflow        {seen}" in lines
    assert "  torch             1.0: cpu (Some CPU)" in lines


def test_doctor_says_which_of_several_processes_this_is(kgen, answers, monkeypatch):
    answers(jax=CPU, tensorflow=CPU, torch=CPU)
    assert "  process  " not in kgen("doctor").stdout
    monkeypatch.setenv("KGEN_NUM_PROCESSES", "4")
    monkeypatch.setenv("KGEN_PROCESS_ID", "2")
    assert "Problem: Expected --coordinator HOST:PORT" in kgen("doctor").stdout
    monkeypatch.setenv("KGEN_COORDINATOR", "node1:9000")
    assert "process           2 of 0 to 3; 0 is at node1:9000" in kgen("doctor").stdout


def test_doctor_fails_when_kgen_cannot_train(kgen, answers, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    answers(jax=MISSING, tensorflow=BROKEN, torch=MISSING)
    result = kgen("doctor")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "kgen cannot train."


def test_json_says_the_same_to_programs(kgen, answers, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    answers(jax=CPU, tensorflow=MISSING, torch=MISSING)
    found = json.loads(kgen("doctor", "--json").stdout)
    assert found["usable"] is True
    assert set(found) == {field.name for field in dataclasses.fields(Report)} | {"usable"}


def test_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path):
    found = doctor._folders(tmp_path / "new" / "runs")["runs"]
    assert found["writable"] is True
    assert found["bytes"] == 0
    (tmp_path / "file").write_text("")
    assert doctor._folders(tmp_path / "file" / "runs")["runs"]["writable"] is False


def test_installed_packages_have_one_owner_each():
    owned = doctor.owners()
    assert owned["keras"] == ["keras"]
    assert len(owned["onnxruntime"]) <= 1


def run_probe(monkeypatch, code, timeout=30.0):
    """Ask a stand-in for the probe: Python code."""
    popen = probe.subprocess.Popen

    def start(command, **options):
        return popen([sys.executable, "-c", code], **options)

    monkeypatch.setattr(probe.subprocess, "Popen", start)
    return probe.ask(["jax"], timeout)["jax"]


def test_probe_s_answer_is_found_among_a_backend_s_chatter(monkeypatch):
    code = f"print('chatter'); print({probe.MARK!r} + '{{\"devices\": []}}')"
    assert run_probe(monkeypatch, code) == {"devices": []}


def test_probe_that_crashes_is_an_error_with_its_last_word(monkeypatch):
    code = "import sys; print('first', file=sys.stderr); sys.exit('no libcuda')"
    assert run_probe(monkeypatch, code) == {"error": "exit status 1: no libcuda"}


def test_probe_that_hangs_is_given_up(monkeypatch):
    begun = time.monotonic()
    found = run_probe(monkeypatch, "import time; time.sleep(60)", timeout=0.5)
    assert found == {"error": "no answer within 0 s"}
    assert time.monotonic() - begun < 20
