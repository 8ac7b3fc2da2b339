"""npm packages are the pinned ones, or nothing; nothing in a tarball is trusted."""

import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kgen.errors import KgenError
from kgen_exports.app import npm, packages, vendor
from kgen_exports.app.packages import Package

CONTENT = {"dist/a.js": b"export const a = 1;\n", "wasm/a.wasm": b"\0asm" * 1000}
FETCH = packages.fetch  # the fixture of this folder puts a stand-in in its place


def tarball_of(members: dict[str, bytes]) -> bytes:
    """Make a tarball as npm does: everything in a folder named package."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def tarballs(tmp_path):
    """Return a folder with a tarball that also holds what is not wanted, and paths that escape."""
    folder = tmp_path / "tarballs"
    folder.mkdir()
    members = {f"package/{name}": content for name, content in CONTENT.items()}
    more = {"package/dist/b.js": b"b", "../../escaped": b"x", "/escaped": b"x"}
    (folder / "scope-a-1.2.3.tgz").write_bytes(tarball_of({**members, **more}))
    return folder


@pytest.fixture
def package(tarballs, monkeypatch, tmp_path):
    """Return a package that is pinned to that tarball, and known as a runtime's only one."""
    sha512 = hashlib.sha512((tarballs / "scope-a-1.2.3.tgz").read_bytes()).digest()
    made = Package(
        name="@scope/a", version="1.2.3", integrity=base64.b64encode(sha512).decode(),
        files={name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
    )  # fmt: skip
    use(monkeypatch, made)
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))
    return made


def use(monkeypatch, made: Package) -> None:
    monkeypatch.setattr(packages, "OF_RUNTIME", {"onnxruntime": (made,)})


@pytest.fixture
def no_npm(monkeypatch, tmp_path):
    """Take npm off the path, and the one from PyPI away."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(npm.importlib.util, "find_spec", lambda name: None)


def as_npm(monkeypatch, tmp_path, code: str) -> None:
    """Let a Python program be npm: its arguments are npm's, its folder where the tarball goes."""
    script = tmp_path / "npm.py"
    script.write_text(code)
    monkeypatch.setattr(npm, "_npm", lambda: [sys.executable, str(script)])


def test_a_package_comes_from_a_folder_once_and_then_from_the_cache(package, tarballs, no_npm):
    found = FETCH(["onnxruntime"], tarballs)
    assert {name: path.read_bytes() for (_, name), path in found.items()} == CONTENT
    shutil.rmtree(tarballs)
    assert FETCH(["onnxruntime"], tarballs) == found


def test_only_what_is_used_is_unpacked_and_nothing_leaves_the_cache(package, tarballs, tmp_path):
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    found = FETCH(["onnxruntime"], tarballs)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert written == set(found.values())


def test_a_file_that_changed_in_the_cache_is_fetched_again(package, tarballs, no_npm):
    found = FETCH(["onnxruntime"], tarballs)
    path = found["@scope/a", "dist/a.js"]
    path.write_bytes(b"export const a = 2;\n")
    with pytest.raises(KgenError, match="there is no npm"):
        FETCH(["onnxruntime"])
    FETCH(["onnxruntime"], tarballs)
    assert path.read_bytes() == CONTENT["dist/a.js"]


def test_a_corrupt_tarball_is_refused_and_nothing_of_it_is_kept(package, tarballs, tmp_path):
    path = tarballs / "scope-a-1.2.3.tgz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(KgenError, match=r"is not @scope/a@1\.2\.3 as npm has it: .*npm pack"):
        FETCH(["onnxruntime"], tarballs)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("sha256", ["0" * 64, hashlib.sha256(b"").hexdigest()])
def test_a_file_of_another_hash_is_refused(package, tarballs, monkeypatch, sha256):
    use(monkeypatch, replace(package, files={"dist/b.js": sha256}))
    with pytest.raises(KgenError, match=r"dist/b\.js in .* is not the file"):
        FETCH(["onnxruntime"], tarballs)


def test_a_missing_tarball_is_named_and_how_to_make_it(package, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(KgenError, match=r"scope-a-1\.2\.3\.tgz.*npm pack @scope/a@1\.2\.3"):
        FETCH(["onnxruntime"], tmp_path / "empty")


def test_without_npm_the_message_says_what_to_do(package, no_npm):
    with pytest.raises(KgenError) as raised:
        FETCH(["onnxruntime"])
    for way in ("pip install 'kgen[app]'", "--packages", "--runtimes javascript"):
        assert way in str(raised.value)


def test_javascript_alone_needs_no_package(monkeypatch, no_npm):
    assert FETCH(["javascript"]) == {}


def test_npm_is_asked_once(package, tarballs, monkeypatch, tmp_path):
    tarball = tarballs / "scope-a-1.2.3.tgz"
    as_npm(
        monkeypatch, tmp_path,
        "import shutil, sys\n"
        "assert sys.argv[1:3] == ['pack', '@scope/a@1.2.3'] and '--ignore-scripts' in sys.argv\n"
        f"shutil.copy({str(tarball)!r}, '.')\n",
    )  # fmt: skip
    said = []
    found = FETCH(["onnxruntime"], say=said.append)
    assert said == ["fetching @scope/a@1.2.3 from npm, once"]
    as_npm(monkeypatch, tmp_path, "raise SystemExit(1)")
    assert FETCH(["onnxruntime"], say=said.append) == found
    assert len(said) == 1


def test_what_npm_says_of_a_failure_is_one_line(package, monkeypatch, tmp_path):
    as_npm(
        monkeypatch, tmp_path,
        "import sys\n"
        "sys.exit('npm error code ENOTFOUND\\nnpm error request to https://x/ failed\\n')",
    )  # fmt: skip
    with pytest.raises(KgenError, match=r"npm cannot fetch @scope/a@1\.2\.3: request to") as raised:
        FETCH(["onnxruntime"])
    assert "\n" not in str(raised.value)
    assert "--packages" in str(raised.value)


def test_without_npm_on_the_path_the_one_from_pypi_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = npm._npm()
    assert str(tmp_path) not in command[0]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout[:1].isdigit()) == (0, True)


def test_builds_at_the_same_time_share_a_cache(package, tarballs):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: FETCH(["onnxruntime"], tarballs), range(16)))
    assert all(one == found[0] for one in found)
    assert {name: path.read_bytes() for (_, name), path in found[0].items()} == CONTENT


def test_every_file_that_is_fetched_has_a_place_in_a_site():
    fetched = {
        (p.name, name) for ps in packages.OF_RUNTIME.values() for p in ps for name in p.files
    }
    assert fetched == set(vendor.PLACES)
