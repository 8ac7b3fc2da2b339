"""A site can be installed and kept: its web manifest, icons and service worker."""

import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kgen_exports.app import install, offline
from kgen_exports.app.site import Wishes, build_site, web_sources
from kgen_exports.runtime import load
from tests.exports.app.conftest import contents


def test_the_service_worker_knows_every_file_by_its_hash(site):
    text = (site.path / "sw.js").read_text()
    (listed,) = re.findall(r"^const FILES = (\[\[.*\]\]);$", text, re.MULTILINE)
    there = contents(site.path)
    del there["sw.js"]
    there["./"] = there.pop("index.html")
    assert json.loads(listed) == [
        [name, base64.b64encode(hashlib.sha256(there[name]).digest()).decode(), len(there[name])]
        for name in sorted(there, key=lambda name: "index.html" if name == "./" else name)
    ]


def test_any_change_of_a_file_makes_another_version(site, tmp_path):
    def version(folder):
        return re.findall(r"^const VERSION = '(\w{16})';$", (folder / "sw.js").read_text(), re.M)

    before = version(site.path)
    for name in ("app.json", "models/gan/kgen.json", "engine/noise.js"):
        copy = Path(shutil.copytree(site.path, tmp_path / "copy"))
        shutil.copy(web_sources() / "sw.js", copy / "sw.js")
        offline.fill(copy)
        assert version(copy) == before
        shutil.copy(web_sources() / "sw.js", copy / "sw.js")
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        offline.fill(copy)
        assert len(version(copy)) == 1
        assert version(copy) != before
        shutil.rmtree(copy)


def test_the_web_manifest_names_icons_that_are_there(site):
    manifest = json.loads((site.path / install.MANIFEST).read_text())
    assert manifest["name"] == site.app["title"]
    # Relative, so that a site works in any folder of a server.
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "./", "./", "standalone",
    )  # fmt: skip
    found = set()
    for icon in manifest["icons"]:
        with Image.open(site.path / icon["src"]) as image:
            assert (image.format, icon["sizes"]) == ("PNG", f"{image.width}x{image.height}")
        found.add((icon["purpose"], icon["sizes"]))
    assert found == {(p, f"{s}x{s}") for p in ("any", "maskable") for s in (192, 512)}


def test_icons_show_golden_pictures_and_masks_cut_none_off(bundles):
    pictures = [Image.new("RGB", (28, 28), "white") for _ in range(4)]
    for share in (install.SHOWN, install.SAFE):
        icon = install.draw(pictures, 512, share).convert("L")
        left, top, right, bottom = icon.point(lambda level: 255 * (level > 128)).getbbox()
        assert abs(left - (512 - right)) <= 1
        assert (left, right) == (top, bottom)
        # As large as was asked for, but for the rounding of cells and gaps.
        assert right - left == pytest.approx(512 * share, abs=4)
    # The safe zone of a maskable icon is a circle of 40 % radius (W3C, Web App Manifest).
    assert ((right - left) / 2) * 2**0.5 <= 0.4 * 512


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 24), (1024, 512), (1, 1)])
def test_icons_take_pictures_of_any_shape(height, width):
    picture = Image.new("RGB", (width, height), "white")
    icon = install.draw([picture], 192, install.SHOWN)
    box = icon.convert("L").point(lambda level: 255 * (level > 128)).getbbox()
    side = int(192 * install.SHOWN)
    assert max(box[2] - box[0], box[3] - box[1]) == side
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(width / height, rel=0.02)


def test_packages_and_single_files_have_no_service_worker(bundles, tmp_path):
    for delivery in ("single", "package"):
        wishes = Wishes(delivery=delivery)
        site = build_site([bundles / "gan"], tmp_path / delivery, wishes)
        assert site.app["delivery"] == delivery
        assert not (site.path / "sw.js").exists()


def test_a_title_is_everywhere(bundles, tmp_path):
    site = build_site([bundles / "gan"], tmp_path / "site", replace(Wishes(), title="Ünïcode <b>"))
    assert site.app["title"] == "Ünïcode <b>"
    manifest = json.loads((site.path / install.MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["name"], manifest["short_name"]) == ("Ünïcode <b>", "Ünïcode <b>")


def test_pictures_in_icons_are_the_models_own(site, bundles):
    # The first cell of the icon is the first model's first golden picture, enlarged.
    bundle = load(bundles / "gan")
    golden = bundle.pictures(bundle.golden()["generator/out/image"])[0, :, :, 0]
    icon = Image.open(io.BytesIO((site.path / "icons/icon-512.png").read_bytes())).convert("L")
    field = int(512 * install.SHOWN)
    gap = round(field * install.GAP)
    cell = (field - gap) // 2
    start = (512 - 2 * cell - gap) // 2
    shown = icon.crop((start, start, start + cell, start + cell))
    small = shown.resize((16, 16), Image.Resampling.BOX)
    difference = [
        abs(a - int(b))
        for a, b in zip(np.asarray(small).ravel().tolist(), golden.ravel(), strict=True)
    ]
    # A cell is no whole number of pixels, so that a pixel's edge mixes with the next: 1/12 of it.
    assert sum(difference) / 256 < 255 / 12
