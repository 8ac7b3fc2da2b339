"""An Android package of the web app: its site in a WebView, built and signed by Debian's tools.

The app itself is in `android/`: five small classes in smali, a manifest, an icon. Here they are put
together with a site into a file that a phone installs. The same site, key and tools make the same
bytes. No part of this was run on a phone; docs/android.md says what was tested.
"""

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from kgen.errors import KgenError
from kgen.files import replacing
from kgen_exports.app import debian, signing

TEMPLATE = Path(__file__).with_name("android")
MANIFEST = "AndroidManifest.xml"
LEAST_API = "24"
"""Android 7.0, as in the manifest."""
SITE = "assets/www"
"""Where the app looks for its pages."""
STORED = {".wasm", ".onnx", ".tflite", ".bin", ".npz", ".png", ".arsc"}
"""Kept as they are: compression gains little and would cost time at every start. Android itself
demands it of resources.arsc."""
ICON_SIDE = 192
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the package: the earliest that a zip knows."""
PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?")
LONGEST_NAME = 50

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Apk:
    """A package that was built.

    Attributes:
        path: of the file.
        version_code: by which Android tells a newer one from an older.
        key: that signed it. Whoever has it can replace the app on people's phones, and without it
            nobody can: it is to be kept, and kept private.
        key_is_new: whether the key was made now.
        certificate: SHA-256 of the key's certificate, hexadecimal.
    """

    path: Path
    version_code: int
    key: Path
    key_is_new: bool
    certificate: str


def build_apk(
    site: Path, out: Path, *, name: str, package: str, version: str, key: Path | None = None,
    say: Say = lambda line: None,
) -> Apk:  # fmt: skip
    """Build a package that installs a site on Android 7 and newer.

    Args:
        site: folder of a site that was built with the delivery "package".
        out: the .apk; what is there is replaced when the new one is whole.
        name: under the icon.
        package: Android's name of the app, such as ``org.example.pictures``: another one is another
            app.
        version: ``1.2`` or ``1.2.3``; Android does not install a lower one over a higher one.
        key: a PKCS12 or JKS key store with one RSA key, its password in the environment variable
            ``KGEN_KEY_PASSWORD``. None uses ``OUT.p12`` beside the package, and makes it if it is
            not there, so that a later build installs over an earlier one.
        say: told each step.

    Raises:
        KgenError: a tool is not installed, the site is none, a name or version is not one, the key
            cannot be opened, or the disk is full.
    """
    debian.require_tools()
    _check(site, name, package)
    code = version_code(version)
    icons = _icons(site)
    chosen, made = signing.find_key(key, out)
    with tempfile.TemporaryDirectory(prefix="kgen-apk-") as scratch:
        work = Path(scratch)
        say("assembling the app")
        # One job: with several, the order of what the .dex holds is once in a while another.
        debian.run([
            "smali", "assemble", "--jobs", "1", "--api", LEAST_API,
            "--output", str(work / "classes.dex"), str(TEMPLATE / "smali"),
        ])  # fmt: skip
        _resources(work, icons, name, {"PACKAGE": package, "CODE": str(code), "VERSION": version})
        say("packing the site")
        _pack(work, site)
        debian.run(["zipalign", "-f", "4", str(work / "packed.apk"), str(work / "aligned.apk")])
        say("signing")
        with replacing(out) as temporary:
            signing.sign(work / "aligned.apk", temporary, chosen, LEAST_API)
            certificate = signing.verify(temporary, LEAST_API)
    return Apk(path=out, version_code=code, key=chosen, key_is_new=made, certificate=certificate)


def _check(site: Path, name: str, package: str) -> None:
    """Check what was asked for."""
    try:
        delivery = json.loads((site / "app.json").read_text(encoding="utf-8"))["delivery"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KgenError(f"An Android package takes a site of kgen's. Received: {site}.") from error
    if delivery != "package":
        raise KgenError(
            "An Android package takes a site that was built for one. "
            f"Received: delivery={str(delivery)[:40]!r} in {site / 'app.json'}."
        )
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise KgenError(
            f"An app's name is a line of 1 to {LONGEST_NAME} characters. Received: name={name!r}."
        )
    if not PACKAGE_NAME.fullmatch(package):
        raise KgenError(
            "An app's package is words of letters, digits and _, joined by dots, such as "
            f"org.example.pictures. Received: package={package!r}."
        )


def package_of(title: str) -> str:
    """Return a package for an app that was given a title only: ``dev.kgen.`` and its words.

    Two apps of one title are one to Android: who publishes an app names it after a domain.
    """
    words = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")
    return f"dev.kgen.app_{words}" if words else "dev.kgen.app"


def version_code(version: str) -> int:
    """Return a version as one number that rises with it: ``1.2.3`` is 1002003.

    Raises:
        KgenError: it is no version.
    """
    numbers = VERSION.fullmatch(version)
    if not numbers:
        raise KgenError(
            "An app's version is two or three numbers of at most three digits, such as 1.2. "
            f"Received: version={version!r}."
        )
    major, minor, patch = (int(number or 0) for number in numbers.groups())
    return max(1, major * 1_000_000 + minor * 1_000 + patch)


def _icons(site: Path) -> dict[str, Path]:
    """Find the site's icons, by their names in the app: one as it is, one to cut shapes from."""
    try:
        listed = json.loads((site / "manifest.webmanifest").read_text(encoding="utf-8"))["icons"]
        by_purpose = {
            (icon["purpose"], icon["sizes"].partition("x")[0]): site / icon["src"]
            for icon in listed
        }
        found = {
            "icon": by_purpose["any", str(ICON_SIDE)],
            "maskable": by_purpose["maskable", "512"],
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KgenError(
            f"{site / 'manifest.webmanifest'} lists no icon of {ICON_SIDE} pixels and no maskable "
            "one of 512. Build the site again."
        ) from error
    return found


def _resources(work: Path, icons: dict[str, Path], name: str, words: dict[str, str]) -> None:
    """Compile the manifest and the resources into `resources.apk`."""
    res = work / "res"
    shutil.copytree(TEMPLATE / "res", res)
    (res / "mipmap-xxxhdpi").mkdir()
    for target, source in icons.items():
        shutil.copyfile(source, res / "mipmap-xxxhdpi" / f"{target}.png")
    (res / "values" / "title.xml").write_text(
        f'<resources><string name="title">{_quoted(name)}</string></resources>\n', encoding="utf-8"
    )
    manifest = Template((TEMPLATE / MANIFEST).read_text(encoding="utf-8"))
    (work / MANIFEST).write_text(manifest.substitute(words), encoding="utf-8")
    debian.run([
        "aapt", "package", "-f", "--no-crunch", "--no-version-vectors", "-M", str(work / MANIFEST),
        "-S", str(res), "-I", str(debian.FRAMEWORK), "-F", str(work / "resources.apk"),
    ])  # fmt: skip


def _quoted(text: str) -> str:
    """Write a text as Android's resources have it: quoted, so that no character means anything."""
    return escape('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


def _pack(work: Path, site: Path) -> None:
    """Put everything into `packed.apk`: by name, without times, the same bytes each time."""
    with zipfile.ZipFile(work / "resources.apk") as made:
        entries = {entry: made.read(entry) for entry in made.namelist()}
    entries["classes.dex"] = (work / "classes.dex").read_bytes()
    files = dict(_files(site))
    with zipfile.ZipFile(work / "packed.apk", "w") as packed:
        for entry in sorted([*entries, *files]):
            info = zipfile.ZipInfo(entry, date_time=EPOCH)
            info.create_system, info.external_attr = 0, 0
            stored = Path(entry).suffix in STORED
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            content = entries[entry] if entry in entries else files[entry].read_bytes()
            packed.writestr(info, content, compresslevel=9)


def _files(site: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name in the package, file) for everything in the site."""
    for path in site.rglob("*"):
        if path.is_file():
            yield f"{SITE}/{path.relative_to(site).as_posix()}", path
