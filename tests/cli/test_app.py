"""`kgen app` writes a site or a file, serves it, and ends every failure with one line."""

import os
import re
import resource
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.exports import tiny_bundle

ROOT = Path(__file__).parents[2]
JAVASCRIPT = ("--runtimes", "javascript")
"""Needs no package of npm."""
LIMIT = 2**12
"""Bytes to which a file may grow on the full disk: some of the app's fit, some do not."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return tiny_bundle.make(tmp_path_factory.mktemp("bundles") / "gan", "gan").path


@pytest.fixture
def start(subprocess_env, tmp_path):
    """Return a function that starts `kgen app` in a process, with a folder for temporary files."""
    (tmp_path / "temporary").mkdir()
    env = {**subprocess_env, "TMPDIR": str(tmp_path / "temporary"), "PYTHONUNBUFFERED": "1"}
    env["KGEN_CACHE"] = str(tmp_path / "cache")
    begun = []

    def run(*arguments, **options):
        command = [sys.executable, "-m", "kgen_cli", "app", *map(str, arguments)]
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def left(folder: Path) -> list[Path]:
    """List what kgen has in the folder for temporary files; other packages leave things there."""
    return list((folder / "temporary").glob("kgen*"))


def test_it_writes_a_site_and_says_what_it_is(kgen, bundle):
    done = kgen("app", bundle, *JAVASCRIPT)
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"Site: site \(\d+ kB, javascript\)\n", done.stdout)
    assert Path("site/index.html").is_file()
    assert Path("site/models/gan/generator.plain.bin").is_file()


def test_a_run_stands_for_its_export(kgen, make_run, bundle):
    run = make_run("gan-1")
    (run.path / "export").symlink_to(bundle, target_is_directory=True)
    assert kgen("app", "gan", *JAVASCRIPT).exit_code == 0
    assert [path.name for path in Path("site/models").iterdir()] == ["gan"]


def test_a_run_that_is_not_exported_says_how(fails, make_run):
    make_run("gan-1")
    assert "kgen export" in fails("app", "gan", *JAVASCRIPT, status=1)


def test_it_writes_over_a_site_only_by_force(kgen, fails, bundle):
    assert kgen("app", bundle, *JAVASCRIPT).exit_code == 0
    failed = kgen("app", bundle, *JAVASCRIPT)
    assert failed.exit_code == 1
    assert "--force" in failed.stderr.splitlines()[-1]
    assert kgen("app", bundle, *JAVASCRIPT, "--force", "--title", "Mine").exit_code == 0
    assert '"title": "Mine"' in Path("site/app.json").read_text()


def test_it_writes_one_file(kgen, bundle):
    done = kgen("app", bundle, *JAVASCRIPT, "--single-file")
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"File: app\.html \(\d+ kB\); open it in a browser\.\n", done.stdout)
    assert Path("app.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(Path().iterdir()) == [Path("app.html")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--single-file", "--serve"], "One thing is made at a time. Received: --single-file and"),
        (["--key", "x.p12"], "--key is of an Android package. Received: --key without --apk."),
        (
            ["--single-file", "--out", "app"],
            "takes the name of an .html file here. Received: --out app.",
        ),
        (["--runtimes", "wasm"], "runtimes takes onnxruntime, litert, javascript."),
        (["--runtimes", ","], "A list takes names with commas between them. Received: ','."),
        (["--package", "a.b"], "--package is of an Android package. Received: --package without"),
        (
            ["--apk", "--out", "a.zip"],
            "takes the name of an .apk file here.",
        ),
        (["--starter", "swift", "--precision", "fp16,int8"], "Received: several in --precision."),
        (["--precision", "fp64"], "precision takes fp32, fp16, int8, int8-static."),
    ],
)
def test_options_that_make_no_sense_are_one_line(fails, bundle, options, message):
    assert message in fails("app", bundle, *options, status=1)
    assert list(Path().iterdir()) == []


def test_it_writes_a_starter_of_one_bundle(kgen, bundle):
    done = kgen("app", bundle, "--starter", "kotlin", "--runtimes", "onnxruntime")
    assert done.exit_code == 0, done.output
    assert re.match(r"Starter: starter-kotlin \(\d+ files\); its README\.md says how", done.stdout)
    assets = Path("starter-kotlin/app/src/main/assets")
    assert {path.suffix for path in assets.iterdir()} == {".json", ".onnx"}
    again = kgen("app", bundle, bundle, "--starter", "kotlin")
    assert again.exit_code == 1
    assert "Received: 2 bundles." in again.stderr


def test_without_debians_tools_their_packages_are_named_and_nothing_is_built(
    fails, bundle, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    message = fails("app", bundle, *JAVASCRIPT, "--apk", status=1)
    assert "apt-get install aapt apksigner libsmali-java zipalign" in message
    assert list(Path().iterdir()) == []


def test_what_is_no_bundle_is_one_line(fails):
    assert "A bundle is a folder with a kgen.json" in fails("app", "nothing", status=1)


def test_without_a_bundle_the_help_is_named(fails):
    assert "See: kgen app --help" in fails("app", status=2)


def test_serve_shows_the_app_until_ctrl_c_and_leaves_nothing(start, bundle, tmp_path):
    process = start(bundle, *JAVASCRIPT, "--serve", "--port", "0")
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith("Site: ")
    assert lines[2] == "Ctrl-C ends it.\n"
    address = lines[1].removeprefix("Open: ").strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(f"{address}app.json", timeout=10) as response:
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert b"kgen-app-1" in response.read()
    assert left(tmp_path) != []
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "Stopped.\n")
    assert "Traceback" not in err
    assert left(tmp_path) == []
    assert not Path("site").exists()


def test_serve_lets_the_network_in_and_warns_and_kill_ends_it_too(start, bundle, tmp_path):
    arguments = [bundle, *JAVASCRIPT, "--serve", "--port", "0", "--host", "0.0.0.0"]
    process = start(*arguments, "--out", tmp_path / "kept")
    while not (line := process.stdout.readline()).startswith("Ctrl-C"):
        assert line, process.communicate()
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "plain http" in err
    assert (tmp_path / "kept" / "index.html").is_file()


def test_a_taken_port_is_one_line_and_leaves_nothing(start, bundle, tmp_path):
    first = start(bundle, *JAVASCRIPT, "--serve", "--port", "0", "--out", tmp_path / "kept")
    first.stdout.readline()
    port = re.search(r":(\d+)/", first.stdout.readline())[1]
    second = start(bundle, *JAVASCRIPT, "--serve", "--port", port)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    last = err.splitlines()[-1]
    assert last.startswith(
        f"Error: Cannot serve at --host 127.0.0.1 --port {port}: Address already"
    )
    assert left(tmp_path) == []


def test_packages_that_are_not_in_the_folder_are_one_line(start, bundle, tmp_path):
    process = start(bundle, "--packages", tmp_path, "--out", tmp_path / "site")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("Error: --packages takes a folder with onnxruntime-web-")
    assert sorted(os.listdir(tmp_path)) == ["temporary"]


def test_a_full_disk_leaves_nothing(start, bundle, tmp_path):
    process = start(
        bundle, *JAVASCRIPT, "--out", tmp_path / "site",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.fullmatch(
        r"Error: Cannot write .*: File too large\. Free some space or choose another folder\.",
        err.splitlines()[-1],
    )
    assert sorted(os.listdir(tmp_path)) == ["temporary"]
