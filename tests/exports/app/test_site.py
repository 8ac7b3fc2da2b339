"""A site holds what it says; it is there at once or not at all."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from kgen import __version__
from kgen.errors import KgenError
from kgen_exports import proof
from kgen_exports.app import vendor
from kgen_exports.app.models import USED_PARTS
from kgen_exports.app.policy import CONTENT_SECURITY_POLICY, media_type
from kgen_exports.app.site import Wishes, build_site, web_sources
from kgen_exports.runtime import load
from tests.exports.app.conftest import KINDS, as_tflite, contents


def test_app_json_says_what_is_there(site):
    app = json.loads((site.path / "app.json").read_text())
    assert app == site.app
    models = {model["name"]: model for model in app.pop("models")}
    assert app == {
        "schema": "kgen-app-1", "title": "kgen: GAN, VAE, DDPM", "kgen": __version__,
        "delivery": "site", "runtimes": ["onnxruntime", "javascript"],
        "gates": {"fp32_share": proof.FP32_SHARE, "least_db": proof.LEAST_DB},
    }  # fmt: skip
    assert {name: model["title"] for name, model in models.items()} == {
        kind: kind.upper() for kind in KINDS
    }
    for kind, model in models.items():
        assert model["folder"] == f"models/{kind}/"
        assert model["files"] == [f"{part}.fp16.onnx" for part in USED_PARTS[kind]]
        made = [] if kind == "ddpm" else USED_PARTS[kind]
        assert list(model["plain"]) == list(made)
        assert model["precisions"] == {
            "onnxruntime": ["fp16"], "litert": [], "javascript": ["fp16"] if made else [],
        }  # fmt: skip
        for entry in model["plain"].values():
            for name in (entry["plan"], entry["weights"]):
                content = (site.path / model["folder"] / name).read_bytes()
                assert hashlib.sha256(content).hexdigest() == entry["sha256"][name]


def test_the_files_of_a_bundle_are_the_bundles_and_no_others(site, bundles):
    for model in site.app["models"]:
        there = contents(site.path / model["folder"])
        made = {n for entry in model["plain"].values() for n in (entry["plan"], entry["weights"])}
        assert set(there) == {"kgen.json", "golden.npz", *model["files"]} | made
        original = contents(bundles / model["name"])
        assert all(there[name] == original[name] for name in set(there) - made)


def test_the_sources_of_the_app_are_copied_as_they_are(site):
    sources = contents(web_sources())
    assert {"index.html", "worker.js", "engine/client.js"} <= set(sources)
    there = contents(site.path)
    assert all(there[name] == sources[name] for name in set(sources) - {"sw.js"})
    noise = Path(proof.__file__).parent / "snippets" / "noise.js"
    assert there["engine/noise.js"] == noise.read_bytes()


def test_the_size_is_that_of_all_files(site):
    assert site.bytes == sum(len(content) for content in contents(site.path).values())


def test_the_same_bundles_make_the_same_bytes(site, bundles, tmp_path):
    again = build_site([bundles / kind for kind in KINDS], tmp_path / "again")
    assert contents(again.path) == contents(site.path)


def test_a_bundle_of_tflite_brings_only_what_it_can_run(bundles, tmp_path, runtime_files):
    as_tflite(bundles / "gan")
    site = build_site([bundles / "gan"], tmp_path / "site")
    assert site.app["runtimes"] == ["litert"]
    assert runtime_files == [("litert",)]
    assert site.app["models"][0]["files"] == ["generator.fp16.tflite"]
    assert [note.split()[-1] for note in site.notes] == ["onnxruntime", "javascript"]
    names = set(contents(site.path / "vendor"))
    assert names == {p.removeprefix("vendor/") for p in vendor.PLACES.values() if "litert" in p}


def test_javascript_alone_needs_no_runtime_and_no_model_files(bundles, tmp_path, runtime_files):
    site = build_site([bundles / "vae"], tmp_path / "site", Wishes(runtimes=("javascript",)))
    assert runtime_files == [("javascript",)]
    assert not (site.path / "vendor").exists()
    assert site.app["models"][0]["files"] == []
    assert list(site.app["models"][0]["plain"]) == ["decoder", "encoder"]


def test_litert_js_imports_a_path_and_says_that_it_was_changed(bundles, tmp_path):
    as_tflite(bundles / "gan")
    site = build_site([bundles / "gan"], tmp_path / "site")
    text = (site.path / "vendor/litert/index.js").read_text()
    assert text.startswith("// Modified by kgen")
    assert '"./wasm-utils.js"' in text
    assert vendor.NAMED not in text


def test_licences_name_everything_that_is_shipped(bundles, tmp_path):
    as_tflite(bundles / "vae")
    site = build_site([bundles / kind for kind in KINDS], tmp_path / "site")
    text = (site.path / "LICENSES.txt").read_text()
    data = load(bundles / "gan").manifest.data
    for piece in (
        "models/gan/", "models/vae/", "models/ddpm/", data["licence"],
        data["note"], f"kgen {__version__}", "onnxruntime-web@1.30.0",
        "Copyright (c) Microsoft Corporation", "@litertjs/core@2.5.3", "Modified: index.js",
        "Apache License\n                           Version 2.0, January 2004",
    ):  # fmt: skip
        assert piece in text


def test_only_the_licences_of_what_is_shipped_are_named(bundles, tmp_path):
    site = build_site([bundles / "gan"], tmp_path / "site", Wishes(runtimes=("javascript",)))
    text = (site.path / "LICENSES.txt").read_text()
    assert "Microsoft" not in text
    assert "litertjs" not in text


def test_a_site_is_written_over_only_by_force(site, bundles):
    with pytest.raises(KgenError, match=r"holds a site\. Write over it with --force"):
        build_site([bundles / "gan"], site.path)
    again = build_site([bundles / "gan"], site.path, force=True)
    assert [path.name for path in (again.path / "models").iterdir()] == ["gan"]


@pytest.mark.parametrize("text", ["[]", "{", '{"schema": "kgen-bundle-1"}', "\xff"])
def test_force_does_not_replace_what_is_not_a_site(bundles, tmp_path, text):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.json").write_text(text, encoding="latin-1")
    with pytest.raises(KgenError, match="something other than a site"):
        build_site([bundles / "gan"], tmp_path / "mine", force=True)
    assert list(contents(tmp_path / "mine")) == ["app.json"]


def test_a_place_that_cannot_be_written_is_one_line(bundles, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KgenError, match=r"Cannot write .*file.site"):
        build_site([bundles / "gan"], tmp_path / "file" / "site")


def test_the_page_has_the_policy_that_servers_send(site):
    page = (site.path / "index.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy == CONTENT_SECURITY_POLICY


def test_the_page_has_nothing_that_its_policy_forbids(site):
    page = (site.path / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
    for address in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert (site.path / address).is_file(), address


def test_every_file_has_a_media_type_that_browsers_accept(site):
    types = {name: media_type(name) for name in contents(site.path)}
    # Browsers refuse modules and WebAssembly of other types.
    assert {t for n, t in types.items() if n.endswith((".js", ".mjs"))} == {
        "text/javascript; charset=utf-8"
    }
    assert types["vendor/onnxruntime/ort-wasm-simd-threaded.wasm"] == "application/wasm"
    assert types["manifest.webmanifest"] == "application/manifest+json"
