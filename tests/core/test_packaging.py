"""What `pip install kgen` brings, and what the wheel contains."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import kgen

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = {
    name: [Requirement(text) for text in texts]
    for name, texts in PROJECT["optional-dependencies"].items()
}

LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}
PLATFORMS = [
    LINUX,
    {"sys_platform": "linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_machine": "AMD64"},
    {"sys_platform": "win32", "platform_machine": "ARM64"},
]
# Where PyPI had wheels of onnxruntime-gpu 1.31 in November 2026.
HAS_ONNXRUNTIME_GPU = [LINUX, PLATFORMS[3]]


def names(requirements, platform):
    return [r.name for r in requirements if r.marker is None or r.marker.evaluate(platform)]


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: "-".join(p.values()))
@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_every_platform_gets_exactly_one_onnxruntime(platform, extra):
    # The two distributions overwrite each other's files.
    wanted = names([*CORE, *EXTRAS.get(extra, [])], platform)
    found = {name for name in wanted if name.startswith("onnxruntime")}
    expected = "onnxruntime-gpu" if platform in HAS_ONNXRUNTIME_GPU else "onnxruntime"
    assert found == {expected}


def test_exactly_one_onnxruntime_is_installed_here():
    installed = {dist.name.lower() for dist in metadata.distributions()}
    assert len(installed & {"onnxruntime", "onnxruntime-gpu"}) == 1


def test_the_gpu_extra_keeps_to_cuda_12():
    # First releases on PyPI that are built for CUDA 13, whose cuDNN and NCCL would overwrite those
    # of TensorFlow's CUDA 12: read from the packages' metadata.
    wanted = {r.name: r for r in EXTRAS["gpu"] if r.marker is None or r.marker.evaluate(LINUX)}
    assert wanted["tensorflow"].extras == {"and-cuda"}
    assert wanted["jax"].extras == {"cuda12"}
    assert not wanted["torch"].specifier.contains("2.11.0")
    assert not wanted["onnxruntime-gpu"].specifier.contains("1.27.0")


def test_every_extra_of_a_dependency_exists():
    # pip only warns about an extra that does not exist, and installs the rest.
    wanted = [r for r in EXTRAS["gpu"] if r.extras]
    assert wanted
    for requirement in wanted:
        offered = metadata.metadata(requirement.name).get_all("Provides-Extra") or []
        assert requirement.extras <= {extra.replace("_", "-") for extra in offered}


def test_contributing_justifies_every_dependency():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Dependencies")[2].partition("\n## ")[0]
    wanted = {r.name for r in [*CORE, *(r for rs in EXTRAS.values() for r in rs)]}
    assert {name for name in wanted if f"`{name}`" not in table} == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    """List the files of the wheel that `make wheel-check` names, else of one built here.

    Built as users get it: the wheel from the sdist, the sdist from the folder.
    """
    path = os.environ.get("KGEN_WHEEL")
    if path is None:
        out = tmp_path_factory.mktemp("dist")
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_wheel_installs_only_kgens_own_names(wheel):
    tops = {name.partition("/")[0] for name in wheel}
    info = f"kgen-{kgen.__version__}.dist-info"
    assert tops == {"kgen", "kgen_cli", "kgen_exports", info}


@pytest.mark.parametrize("folder", ["kgen", "cli/kgen_cli", "exports/kgen_exports"])
def test_the_wheel_has_every_module(wheel, folder):
    parent = (ROOT / folder).parent
    modules = {p.relative_to(parent).as_posix() for p in (ROOT / folder).rglob("*.py")}
    assert modules
    assert modules <= set(wheel)


def test_the_wheel_has_the_embedded_pictures_and_their_licence(wheel):
    assert [n for n in wheel if re.fullmatch(r"kgen/data/embedded/.+\.(npz|npy|gz|png)", n)]
    assert [n for n in wheel if re.fullmatch(r"kgen/data/embedded/LICENSE.*", n)]


def test_the_wheel_has_the_noise_files_for_apps(wheel):
    names = {f"kgen_exports/snippets/noise.{suffix}" for suffix in ("py", "js", "kt", "swift")}
    assert names <= set(wheel)


def test_the_wheel_has_the_schema_of_bundles_and_the_pieces_of_their_readme(wheel):
    package = ROOT / "exports" / "kgen_exports"
    pieces = {p.relative_to(package.parent).as_posix() for p in package.rglob("*.txt")}
    assert pieces
    assert pieces | {"kgen_exports/schema/kgen-bundle-1.json"} <= set(wheel)


def test_the_wheel_has_the_look_of_the_reports(wheel):
    assert "kgen/page/page.css" in wheel


def test_the_wheel_carries_kgens_licence(wheel):
    assert f"kgen-{kgen.__version__}.dist-info/licenses/LICENSE" in wheel


def test_no_package_is_ignored_by_git():
    # hatchling leaves what git ignores out of the wheel without a word.
    folders = ["kgen", "cli/kgen_cli", "exports/kgen_exports", "kgen/data/embedded"]
    ignored = ROOT.joinpath(".gitignore").read_text(encoding="utf-8").split()
    assert not {part for folder in folders for part in folder.split("/")} & {
        line.strip("/") for line in ignored
    }
