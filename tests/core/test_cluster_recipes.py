"""docs/slurm.sh and docs/kubernetes.yaml: no cluster runs them here, so they are read closely."""

import copy
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import kubernetes_validate
import pytest
from kubernetes_validate.utils import resources_from_file

from kgen import run_config
from kgen_cli.options import config_options
from tests.core.test_docs import ROOT, parse

SCRIPT = ROOT / "docs" / "slurm.sh"
MANIFEST = ROOT / "docs" / "kubernetes.yaml"
SHELLCHECK = str(Path(sysconfig.get_path("scripts")) / "shellcheck")
# Where backoffLimitPerIndex and podReplacementPolicy became beta, and so on by default.
OLDEST_KUBERNETES = "1.29"


@pytest.fixture
def resources():
    found = {resource["kind"]: resource for resource in resources_from_file(str(MANIFEST))}
    assert set(found) == {"Service", "Job"}
    return found


def container(job):
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


def resolves(command):
    """Parse a training's command and settle its configuration, without training."""
    given = parse(command)
    _, family = given["path"]
    overrides = {
        option.key: option.parse(given[option.parameter_name])
        for option in config_options(family)
        if given.get(option.parameter_name) is not None
    }
    run_config.resolve(family, overrides=overrides)
    return given


def slurm_command():
    text = SCRIPT.read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = re.findall(r"^srun .*?\b(kgen .*)$", text, re.MULTILINE)
    return command


# SLURM.


def test_bash_and_shellcheck_find_nothing_in_the_script():
    for command in (["bash", "-n"], [SHELLCHECK]):
        done = subprocess.run([*command, str(SCRIPT)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_sees_a_mistake(tmp_path):
    wrong = tmp_path / "wrong.sh"
    text = SCRIPT.read_text(encoding="utf-8")
    wrong.write_text(text.replace('"$RUN"', "$RUN"))
    done = subprocess.run([SHELLCHECK, str(wrong)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "SC2086" in done.stdout  # double quote to prevent globbing and word splitting


def test_the_scripts_command_is_one_that_kgen_takes():
    given = resolves(slurm_command())
    assert given["auto_resume"]


def test_the_scripts_batch_comes_out_even():
    text = SCRIPT.read_text(encoding="utf-8")
    options = ("nodes", "gpus-per-node")
    nodes, gpus = (int(re.findall(rf"--{name}=(\d+)", text)[0]) for name in options)
    (batch,) = re.findall(r"--batch-size (\d+)", slurm_command())
    assert int(batch) % (nodes * gpus) == 0


def test_the_script_says_what_is_missing():
    done = subprocess.run(["bash", str(SCRIPT)], env={}, capture_output=True, text=True)
    assert done.returncode != 0
    assert "DATA expects the folder of pictures" in done.stderr


# Kubernetes.


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_the_manifest_fits_the_schema_of_kubernetes(resources, version):
    for resource in resources.values():
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "completionModus"), "Indexed"),
        (("spec", "completions"), "four"),
        (("spec", "template", "spec", "subdomains"), "kgen"),
        (("spec", "podFailurePolicy", "rules"), [{"onExitCodes": {"operator": "In"}}]),
    ],
)
def test_the_schema_refuses_a_wrong_field(resources, path, value):
    wrong = copy.deepcopy(resources["Job"])
    inner = wrong
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST_KUBERNETES, strict=True)


def test_the_manifests_command_is_one_that_kgen_takes(resources):
    given = resolves(shlex.join(container(resources["Job"])["command"]))
    assert given["auto_resume"]


def test_the_pods_find_process_0_and_each_other(resources):
    service, job = resources["Service"], resources["Job"]
    pod, name = job["spec"]["template"]["spec"], job["metadata"]["name"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    environment = {entry["name"]: entry["value"] for entry in container(job)["env"]}
    # A pod of an Indexed Job is called after the job and its number.
    port = service["spec"]["ports"][0]["port"]
    assert environment["KGEN_COORDINATOR"] == f"{name}-0.{pod['subdomain']}:{port}"
    assert int(environment["KGEN_NUM_PROCESSES"]) == job["spec"]["completions"]
    assert job["spec"]["parallelism"] == job["spec"]["completions"]


def test_what_kubernetes_checks_beyond_its_schema_holds(resources):
    # kubernetes.io/docs/concepts/workloads/controllers/job: both need restartPolicy Never, and a
    # failure policy needs podReplacementPolicy Failed.
    spec = resources["Job"]["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["completionMode"] == "Indexed"
    names = {rule["onExitCodes"]["containerName"]
             for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule}  # fmt: skip
    assert names == {container(resources["Job"])["name"]}
    mounted = {mount["name"] for mount in container(resources["Job"])["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["template"]["spec"]["volumes"]}


def test_the_manifests_batch_comes_out_even(resources):
    job = resources["Job"]
    devices = job["spec"]["completions"] * container(job)["resources"]["limits"]["nvidia.com/gpu"]
    (batch,) = re.findall(r"--batch-size=(\d+)", " ".join(container(job)["command"]))
    assert int(batch) % devices == 0
