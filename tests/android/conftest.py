"""A package as `kgen app --apk` builds it, and its classes at work in a Java virtual machine."""

import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from kgen.errors import KgenError
from kgen_exports.app import debian
from kgen_exports.app.apk import Apk, build_apk
from kgen_exports.app.site import Wishes, build_site
from tests.exports import tiny_bundle
from tests.exports.real_exports import exported, finished_runs
from tests.web.conftest import browser, launch

__all__ = ["browser", "exported", "finished_runs", "launch"]

ORIGIN = "https://appassets.androidplatform.net"
FOREIGN = (
    "https://example.org/x", f"{ORIGIN.replace('https', 'http')}/index.html",
    f"{ORIGIN}:444/index.html", "https://user@appassets.androidplatform.net/index.html",
    "file:///etc/passwd", "intent://scan",
)  # fmt: skip
"""What the app may neither open nor fetch."""
OWN = ("data:text/plain,x", f"blob:{ORIGIN}/5c1e")
"""What a page makes itself."""
MISSING = ("/nope.js", "/%2e%2e/AndroidManifest.xml", "/engine")
PACKAGES = {"enjarify": "enjarify", "javac": "default-jdk-headless", "dexdump": "dexdump"}
"""Debian's package of each tool that the tests take besides those that build."""
JAVA = Path(__file__).with_name("java")
SECONDS = 120


@dataclass(frozen=True)
class Built:
    """A package, the site in it, and where it was unpacked."""

    apk: Apk
    site: Path
    unpacked: Path


@pytest.fixture(scope="session", autouse=True)
def _tools():
    """Say at once which of Debian's packages are missing."""
    missing = [package for tool, package in PACKAGES.items() if shutil.which(tool) is None]
    try:
        debian.require_tools()
    except KgenError as error:
        pytest.fail(f"{error} {' '.join(missing)}".rstrip())
    if missing:
        pytest.fail(f"The tests of the Android package need: apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def site(exported, tmp_path_factory) -> Path:
    """Build a site for a package: a real GAN for every runtime, a VAE and a DDPM beside it."""
    folder = tmp_path_factory.mktemp("site")
    bundles = [
        exported("gan").path,
        *(tiny_bundle.make(folder / kind, kind).path for kind in ("vae", "ddpm")),
    ]
    return build_site(bundles, folder / "site", Wishes(delivery="package")).path


@pytest.fixture(scope="session")
def built(site, tmp_path_factory) -> Built:
    """Build the package, and unpack it."""
    folder = tmp_path_factory.mktemp("apk")
    apk = build_apk(
        site, folder / "app.apk", name="Pictures", package="org.example.pix", version="1.2.3"
    )
    with zipfile.ZipFile(apk.path) as packed:
        packed.extractall(folder / "unpacked")
    return Built(apk=apk, site=site, unpacked=folder / "unpacked")


@pytest.fixture(scope="session")
def told(built, tmp_path_factory) -> dict[str, str]:
    """Run the app's classes on a Java virtual machine, which verifies their code; return what came.

    enjarify turns the package's .dex into Java's classes; what they call of Android is in java/,
    as far as they call it. Keys and values are explained by java/Driver.java.
    """
    folder = tmp_path_factory.mktemp("jvm")
    shutil.copytree(built.unpacked / "assets", folder / "app" / "assets")
    # enjarify is one of Debian's Python programs: another Python does not find it.
    run(["enjarify", str(built.unpacked / "classes.dex"), "-o", str(folder / "app.jar")],
        PYTHON="/usr/bin/python3")  # fmt: skip
    sources = map(str, sorted(JAVA.rglob("*.java")))
    run(["javac", "-encoding", "utf-8", "-d", str(folder / "classes"), *sources])
    paths = [f"/{path.relative_to(built.site).as_posix()}" for path in files(built.site)]
    asked = [f"{ORIGIN}{path}" for path in ("/", *paths, *MISSING)]
    lines = run([
        "java", "-Dfile.encoding=utf-8", "-cp", f"{folder / 'app.jar'}:{folder / 'classes'}",
        "Driver", str(folder / "app"), *asked, *FOREIGN, *OWN,
    ]).splitlines()  # fmt: skip
    return dict(line.split("\t", 1) for line in lines)


def files(site: Path) -> list[Path]:
    """List the files of a site."""
    return sorted(path for path in site.rglob("*") if path.is_file())


def run(command: list[str], **variables: str) -> str:
    """Run a program; return what it wrote."""
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8", **variables},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
