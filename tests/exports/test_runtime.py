"""A bundle opened by the runtime: pictures from files, and what is refused."""

import json
import subprocess
import venv
from pathlib import Path

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen.noise import normal
from kgen.pictures import to_uint8
from kgen_exports.runtime import load
from kgen_exports.runtime.session import open_session
from tests.exports.tiny_bundle import make

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {kind: make(folder / kind, kind, eta=1.0) for kind in ("gan", "vae", "ddpm")}


@pytest.fixture
def gan(tmp_path):
    return make(tmp_path / "gan")


def golden_pictures(bundle, part):
    return to_uint8(bundle.golden()[f"{part}/out/image"], *bundle.manifest.image["range"])


@pytest.mark.parametrize(
    ("kind", "part"), [("gan", "generator"), ("vae", "decoder"), ("ddpm", "sampler")]
)
def test_a_seed_draws_the_golden_pictures(bundles, kind, part):
    # One level: float32 rounds differently from the golden cases' float64 at an edge.
    drawn = bundles[kind].generate(8, seed=7).astype(int)
    assert np.abs(drawn - golden_pictures(bundles[kind], part)).max() <= 1


@pytest.mark.parametrize("kind", ["gan", "vae", "ddpm"])
def test_more_pictures_begin_with_the_same_ones(bundles, kind):
    assert (bundles[kind].generate(70, seed=3)[:5] == bundles[kind].generate(5, seed=3)).all()


def test_progress_ends_with_all_steps_done(bundles):
    said = []
    bundles["ddpm"].generate(3, seed=1, progress=lambda done, total: said.append((done, total)))
    assert said[-1] == (3, 3)
    assert said == sorted(said)


def test_pictures_are_encoded_and_decoded(bundles):
    bundle = bundles["vae"]
    z = normal(7, (8, 16))
    pictures = bundle.decode(z)
    assert np.abs(pictures.astype(int) - golden_pictures(bundle, "decoder")).max() <= 1
    codes = bundle.encode(pictures)
    assert codes.keys() == {"mean", "logvar"}
    # Half a grey level of 256 pixels, each weighted by 0.1 on average.
    assert np.abs(codes["mean"] - bundle.golden()["encoder/out/mean"]).max() < 0.2


def test_the_self_test_passes_every_file(bundles):
    for bundle in bundles.values():
        checks = bundle.self_test()
        assert len(checks) == len(list(bundle.manifest.files()))
        assert [c.problem for c in checks] == [None] * len(checks)


def test_a_changed_file_is_refused(gan):
    path = gan.path / "generator.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(KgenError, match="SHA-256"):
        load(gan.path).generate(1)


def test_a_missing_file_is_named(gan):
    (gan.path / "generator.onnx").unlink()
    with pytest.raises(KgenError, match=r"generator\.onnx is missing"):
        load(gan.path).generate(1)


def test_changed_golden_cases_are_refused(gan):
    path = gan.path / "golden.npz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(KgenError, match="SHA-256"):
        load(gan.path).self_test()


def test_pickles_are_not_read(gan):
    path = gan.path / "golden.npz"
    np.savez(path, **{"generator/in/z": np.array([{"a": 1}], dtype=object)})
    described = json.loads((gan.path / "kgen.json").read_text())
    from kgen_exports.runtime.bundle import digest

    described["golden"] |= {"sha256": digest(path), "bytes": path.stat().st_size}
    (gan.path / "kgen.json").write_text(json.dumps(described))
    with pytest.raises(KgenError, match="plain arrays"):
        load(gan.path).golden()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8-static"}, "holds of its generator"),
        ({"runtime": "torch"}, "runtime takes one of"),
        ({"runtime": "litert"}, "holds of its generator"),
        ({"device": "tpu"}, "device takes one of"),
        ({"device": "gpu"}, "device='gpu' expects"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(gan, options, message):
    with pytest.raises(KgenError, match=message):
        gan.generate(1, **options)


def test_a_folder_without_a_manifest_is_not_a_bundle(tmp_path):
    with pytest.raises(KgenError, match=r"kgen\.json"):
        load(tmp_path)


def test_a_file_that_is_no_model_is_an_error_of_one_line(tmp_path):
    for name, runtime in (("a.onnx", "onnxruntime"), ("a.tflite", "litert")):
        (tmp_path / name).write_bytes(b"not a model")
        with pytest.raises(KgenError, match="cannot open") as found:
            open_session(tmp_path / name, runtime=runtime)
        assert "\n" not in str(found.value)


def test_a_missing_runtime_is_named_with_its_package(gan, monkeypatch):
    from kgen_exports.runtime import session

    monkeypatch.setattr(session.util, "find_spec", lambda name: None)
    with pytest.raises(KgenError, match="pip install onnxruntime"):
        open_session(gan.path / "generator.onnx", runtime="onnxruntime")


def test_both_onnxruntime_packages_are_named_where_a_gpu_is_asked_for(monkeypatch):
    from kgen_exports.runtime import session

    class Distribution:
        def __init__(self, name):
            self.metadata = {"Name": name}

    both = [Distribution("onnxruntime"), Distribution("onnxruntime-gpu")]
    monkeypatch.setattr(session.metadata, "distributions", lambda: both)
    with pytest.raises(KgenError, match="overwrite each other"):
        session._require_cuda(["CPUExecutionProvider"])


def test_it_runs_where_only_numpy_pillow_and_a_runtime_are_installed(gan, tmp_path):
    # A venv of links to the installed packages: nothing is downloaded, nothing else is there.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "PIL", "pillow.libs", "onnxruntime", "flatbuffers"):
        if (installed / name).exists():
            (site / name).symlink_to(installed / name)
    for name in ("kgen", "exports/kgen_exports"):
        (site / Path(name).name).symlink_to(ROOT / name)
    code = (
        "import sys\n"
        "from kgen_exports.runtime import load\n"
        f"bundle = load({str(gan.path)!r})\n"
        "print(bundle.generate(2, seed=7).shape, [c.problem for c in bundle.self_test()])\n"
        "print(sorted({'keras', 'tensorflow', 'onnx', 'psutil', 'typer'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    files = len(list(gan.manifest.files()))
    assert done.stdout == f"(2, 16, 16, 1) {[None] * files}\n[]\n"
