"""READMEs of tiny bundles, one of each kind, and the programs that are taken out of them."""

import re
import shutil
from pathlib import Path

import pytest

from kgen_exports import handbook
from tests.exports import tiny_bundle

PROGRAM = re.compile(r"^### `(\S+)`: ([^\n]+)\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {
    "gan": {"kind": "gan"}, "vae": {"kind": "vae"}, "ddpm": {"kind": "ddpm"},
    "noisy": {"kind": "ddpm", "eta": 1.0}, "ddim": {"kind": "ddpm", "sampler": "ddim"},
}  # fmt: skip


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Make a bundle of each kind, each with its README; nobody may change one: copy it first."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {}
    for name, options in KINDS.items():
        made[name] = tiny_bundle.make(folder / name, **options)
        handbook.write(made[name].path, made[name].manifest)
    return made


def programs_of(bundle, folder: Path) -> dict[str, str]:
    """Copy a bundle and write down its README's programs there; return their languages."""
    shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
    text = (folder / handbook.FILE_NAME).read_text(encoding="utf-8")
    found = {}
    for name, title, language, code in PROGRAM.findall(text):
        if language in ("python", "javascript"):
            (folder / name).write_text(code, encoding="utf-8")
            found[name] = language
        else:
            found[f"{name}: {title}"] = language
    return found
