"""What goes wrong with an engine is told in words, and the rest goes on."""

import numpy as np
import pytest

from tests.web.engine.lab import RUNTIMES, START

pytestmark = pytest.mark.web


HASHED = {
    "onnxruntime": "generator.fp16.onnx",
    "litert": "generator.fp16.tflite",
    "javascript": "generator.plain.bin",
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_with_a_wrong_hash_is_not_opened(runtime, fresh):
    name = HASHED[runtime]
    lab = fresh({f"gan/{name}": lambda old: old[:-1] + bytes([old[-1] ^ 1])})
    code, message = lab.failure(f"await engine.open('gan', {{ runtime: '{runtime}' }});")
    assert code == "hash"
    assert name in message
    assert "not the file that was exported" in message
    # The others still work.
    assert lab.run("return (await (await engine.open('vae')).draw(1)).length;") == 1


OPEN_LITERT = "await engine.open('gan', {runtime: 'litert'});"
MISSING = {
    "model": ("gan/generator.fp16.onnx", "await engine.open('gan');"),
    "part": (
        "vae/encoder.fp16.onnx",
        "const model = await engine.open('vae'); await model.draw(1);"
        "await model.encode(new Float32Array(256));",
    ),
    "manifest": ("gan/kgen.json", "await engine.open('gan');"),
    "golden": ("gan/golden.npz", "await (await engine.open('gan')).prove();"),
    "wasm": ("ort-wasm-simd-threaded.wasm", "await engine.open('gan');"),
    "script": ("ort.wasm.bundle.min.mjs", "await engine.open('gan');"),
    "litert": ("litert_wasm_compat_internal.wasm", OPEN_LITERT),
    "loader": ("litert_wasm_compat_internal.js", OPEN_LITERT),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING)
def test_a_file_that_is_missing_is_named(case, fresh):
    name, body = MISSING[case]
    code, message = fresh({name: None}).failure(body)
    assert code == "missing"
    assert name in message
    assert "Build it again with kgen app" in message


def test_a_file_that_cannot_be_fetched_is_the_networks_fault_and_comes_later(fresh):
    lab = fresh({"gan/generator.fp16.onnx": ConnectionError})
    code, message = lab.failure("await engine.open('gan');")
    assert code == "network"
    assert "Check the connection" in message
    lab.page.unroute("**/gan/generator.fp16.onnx")
    assert lab.run("return (await (await engine.open('gan')).draw(1)).length;") == 1


def test_a_newer_manifest_is_refused_before_anything_else(fresh):
    lab = fresh({"gan/kgen.json": lambda old: b'{"schema": "kgen-bundle-2"}'})
    code, message = lab.failure("await engine.open('gan');")
    assert code == "schema"
    assert "newer kgen" in message


def test_a_part_or_model_that_is_not_in_the_app_is_named(lab):
    code, message = lab.failure("await (await engine.open('gan')).encode(new Float32Array(256));")
    assert (code, "encoder" in message) == ("missing", True)
    code, message = lab.failure("await engine.open('other');")
    assert (code, "gan, vae, vae-flow, ddpm" in message) == ("missing", True)
    code, message = lab.failure("await engine.open('gan', { precision: 'int8-static' });")
    assert (code, "int8-static" in message) == ("missing", True)


BAD_INPUT = {
    "seed": "await model.draw(-1);",
    "fraction": "await model.draw(1.5);",
    "large": "await model.draw(2 ** 53);",
    "text": "await model.draw('7');",
    "count": "await model.draw(1, { count: 0 });",
    "latents": "await model.decode(new Float32Array(7));",
    "picture": "await model.encode(new Float32Array(7));",
    "steps": "await model.sample(1);",
    "runs": "await model.bench({ runs: 0 });",
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_in_words(case, lab):
    code, message = lab.failure(f"const model = await engine.open('vae'); {BAD_INPUT[case]}")
    assert code == "input"
    assert len(message) > 20


def test_a_worker_that_cannot_start_says_so(browser, address):
    page = browser.new_context().new_page()
    page.route("**/worker.js", lambda route: route.fulfill(status=404))
    page.goto(f"{address}engine.html")
    told = page.evaluate(f"({START})({{ threads: 1 }}).catch(e => [e.code, e.message])")
    page.context.close()
    assert told[0] == "runtime"
    assert "Reload the page" in told[1]


def test_a_module_that_cannot_be_loaded_says_so(browser, address):
    page = browser.new_context().new_page()
    page.route("**/engine/host.js", lambda route: route.fulfill(status=404))
    page.goto(f"{address}engine.html")
    told = page.evaluate(f"({START})({{ threads: 1 }}).catch(e => [e.code, e.message])")
    page.context.close()
    assert told[0] == "runtime"


def test_without_webassembly_javascript_draws_and_diffusion_says_why_not(fresh, launch, bundles):
    lab = fresh(browser=launch("--js-flags=--jitless"))
    assert lab.capabilities["wasm"] is False
    usable = {name for name, r in lab.capabilities["runtimes"].items() if r["usable"]}
    assert usable == {"javascript"}
    shown, _ = lab.drawn("gan", None, None, "return plain(await model.draw(7, { count: 2 }));")
    expected = bundles["gan"].generate(2, seed=7, precision="fp16", runtime="onnxruntime")
    assert np.abs(shown[..., 0].ravel().astype(int) - expected.ravel()).max() <= 1
    opened = lab.run("const m = await engine.open('vae', { precision: 'fp32' });"
                     "return [m.runtime, m.precision, m.parts, m.choices];")  # fmt: skip
    choice = {"runtime": "javascript", "precision": "fp16"}
    assert opened == ["javascript", "fp16", ["decoder", "encoder"], [choice]]
    for body in ("engine.open('ddpm')", "engine.open('gan', { runtime: 'litert' })"):
        code, message = lab.failure(f"await {body};")
        assert code == "wasm"
        assert "WebAssembly" in message


def test_without_encryption_hashes_are_not_checked_and_the_page_may_know(fresh, launch, address):
    # Browsers trust this machine's own addresses without encryption, and no other name.
    named = launch("--host-resolver-rules=MAP pictures.test 127.0.0.1")
    port = address.rstrip("/").rpartition(":")[2]
    lab = fresh(browser=named, address=f"http://pictures.test:{port}/")
    assert lab.capabilities["secure"] is False
    assert lab.capabilities["isolated"] is False
    assert lab.run("return (await (await engine.open('gan')).draw(1)).length;") == 1
