"""kgen.json: what the reader and the JSON Schema take, and what both refuse."""

import copy
import json
import math
from dataclasses import replace
from importlib import resources

import jsonschema
import onnx
import pytest
from ai_edge_litert import schema_py_generated as tflite
from hypothesis import given
from hypothesis import strategies as st

from kgen.errors import KgenError
from kgen_exports import fields
from kgen_exports.manifest import FILE_NAME, FORMATS, PARTS, PRECISIONS, SCHEMA, Manifest
from kgen_exports.runtime import load
from kgen_exports.sampler import SamplerTable
from tests.exports import tiny_bundle

KINDS = ("gan", "vae", "ddpm")
SCHEMA_FILE = resources.files("kgen_exports") / "schema" / f"{SCHEMA}.json"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Make a bundle of each kind, and a diffusion model whose steps add noise."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {kind: tiny_bundle.make(folder / kind, kind) for kind in KINDS}
    return made | {"stochastic": tiny_bundle.make(folder / "stochastic", "ddpm", eta=1.0)}


@pytest.fixture(scope="module")
def mappings(bundles):
    """Read each bundle's kgen.json as any program does."""
    return {
        kind: json.loads((bundle.path / FILE_NAME).read_text(encoding="utf-8"))
        for kind, bundle in bundles.items()
    }


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def write(folder, text):
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", [*KINDS, "stochastic"])
def test_a_bundles_manifest_satisfies_the_schema_and_reads_back_the_same(
    kind, bundles, mappings, validator
):
    validator.validate(mappings[kind])
    manifest = Manifest.read(bundles[kind].path)
    assert json.loads(json.dumps(manifest.to_mapping())) == mappings[kind]


@pytest.mark.parametrize("kind", [*KINDS, "stochastic"])
def test_the_embedded_manifest_satisfies_the_schema_and_can_be_read(kind, bundles, validator):
    values = json.loads(bundles[kind].manifest.embedded())
    validator.validate(values)
    assert Manifest.from_mapping(values).sampler == bundles[kind].manifest.sampler


@pytest.mark.parametrize("family", ["gan", "ddpm"])
def test_every_file_of_an_export_holds_its_manifest(family, exported, validator):
    bundle = load(exported(family).path)
    values = json.loads((bundle.path / FILE_NAME).read_text(encoding="utf-8"))
    validator.validate(values)
    assert bundle.manifest == Manifest.from_mapping(values)
    embedded = json.loads(bundle.manifest.embedded())
    formats = set()
    for _, entry in bundle.manifest.files():
        path = bundle.path / entry.path
        found = in_onnx(path) if entry.format == "onnx" else in_tflite(path)
        assert json.loads(found) == embedded, entry.path
        formats.add(entry.format)
    assert formats == set(FORMATS)


def in_onnx(path) -> str:
    return {prop.key: prop.value for prop in onnx.load(path).metadata_props}["kgen"]


def in_tflite(path) -> str:
    model = tflite.ModelT.InitFromObj(tflite.Model.GetRootAs(path.read_bytes(), 0))
    (entry,) = [entry for entry in model.metadata if entry.name == b"kgen"]
    return bytes(model.buffers[entry.buffer].data).decode()


def test_the_schema_knows_the_words_of_the_reader(validator):
    definitions = validator.schema["$defs"]
    file = definitions["file"]["properties"]
    assert file["precision"]["enum"] == list(PRECISIONS)
    assert file["format"]["enum"] == list(FORMATS)
    assert validator.schema["properties"]["kind"]["enum"] == list(PARTS)
    assert set(definitions["sampler"]["required"]) == {
        *SamplerTable.__dataclass_fields__, "num_steps", "stochastic",
    }  # fmt: skip


# What both refuse. A path of keys, and what is put there; DELETE takes it away.
DELETE = object()
FILES = ("parts", "generator", "files", 0)
Z = ("parts", "generator", "inputs", 0)
REFUSED = [
    *[((field,), DELETE) for field in Manifest.__dataclass_fields__], (("noise",), DELETE),
    (("extra",), 1), ((*FILES, "extra"), 1), ((*Z, "range"), DELETE), (("golden", "seed"), DELETE),
    (("schema",), "kgen-bundle-2"), (("schema",), None), (("noise", "generator"), "mt19937"),
    (("kind",), "flow"), (("kind",), 3), (("kind",), "vae"), (("kind",), "ddpm"),
    (("image",), None), (("image", "height"), 0), (("image", "height"), -28),
    (("image", "height"), 28.5), (("image", "height"), True), (("image", "height"), "28"),
    (("image", "channels"), 2), (("image", "colour"), "rgb"), (("image", "layout"), "NCHW"),
    (("image", "range"), [0]), (("image", "range"), "01"), (("image", "to_uint8"), "x * 255"),
    (("latent_dim",), 0), (("latent_dim",), None), (("latent_dim",), 16.5), (("labels",), "cat"),
    (("labels",), [1]), (("sampler",), {}), (("sampler",), []), (("parts",), {}), (("parts",), []),
    (("parts", "generator"), None), (("parts", "decoder"), {}), (("parts", "denoiser"), {}),
    ((*FILES, "path"), "../generator.onnx"), ((*FILES, "path"), "/etc/generator.onnx"),
    ((*FILES, "path"), "a\\generator.onnx"), ((*FILES, "path"), ".generator.onnx"),
    ((*FILES, "path"), "C:generator.onnx"), ((*FILES, "path"), "generator.pkl"),
    ((*FILES, "path"), ""), ((*FILES, "path"), None), ((*FILES, "path"), "generator.tflite"),
    ((*FILES, "format"), "coreml"), ((*FILES, "format"), "tflite"), ((*FILES, "precision"), "int4"),
    ((*FILES, "precision"), None), ((*FILES, "batch"), 0), ((*FILES, "batch"), 10**9),
    ((*FILES, "batch"), "any"), ((*FILES, "bytes"), -1), ((*FILES, "bytes"), 1.5),
    ((*FILES, "sha256"), "0" * 63), ((*FILES, "sha256"), "Z" * 64), ((*FILES, "opset"), None),
    ((*FILES, "opset"), "17"), ((*FILES, "error"), None), ((*FILES, "error"), []),
    ((*FILES, "error", "image"), {}), ((*FILES, "error", "image", "max_abs"), -1),
    ((*FILES, "error", "image", "psnr_db"), "inf"), ((*FILES, "picture"), 3),
    ((*FILES, "picture", "peak"), 0), ((*Z, "name"), "z z"), ((*Z, "name"), ""),
    ((*Z, "shape"), [None, -16]), ((*Z, "shape"), [None, 0]), ((*Z, "shape"), [1, 16]),
    ((*Z, "shape"), []), ((*Z, "shape"), "16"), ((*Z, "shape"), [None, None]),
    ((*Z, "shape"), [None, 1, 1, 1, 16]), ((*Z, "shape"), [None, 16.5]),
    ((*Z, "dtype"), "float64"), ((*Z, "dtype"), None), ((*Z, "range"), [0]),
    ((*Z, "distribution"), "uniform"), (("golden",), []), (("golden", "file"), "../golden.npz"),
    (("golden", "count"), 0), (("golden", "seed"), -1), (("golden", "sha256"), "f"),
    (("training",), []), (("data",), "embedded"), (("data", "licence"), None),
    (("created",), "yesterday"), (("created",), 0), (("kgen",), 1), (("min_runtime",), [1]),
    (("min_runtime",), {"onnxruntime": 1}),
]  # fmt: skip
REFUSED_SAMPLERS = [
    *[(("sampler", f), DELETE) for f in (*SamplerTable.__dataclass_fields__, "num_steps")],
    (("sampler",), None), (("latent_dim",), 8), (("sampler", "extra"), 1),
    (("sampler", "name"), "euler"), (("sampler", "eta"), 1.5), (("sampler", "eta"), "0"),
    (("sampler", "variance"), "small"), (("sampler", "prediction"), "score"),
    (("sampler", "num_timesteps"), 0), (("sampler", "num_timesteps"), 10**9),
    (("sampler", "timesteps"), []), (("sampler", "timesteps"), [9, 9, 3, 0]),
    (("sampler", "timesteps", 0), -1), (("sampler", "timesteps", 0), 9.5),
    (("sampler", "coef_x0"), None), (("sampler", "coef_x0", 0), "1"),
    (("sampler", "coef_last"), None), (("sampler", "sigma", 0), -0.1),
    (("sampler", "alpha_bars", 0), 1.0), (("sampler", "alpha_bars", 9), 0.0),
    (("sampler", "stochastic"), "no"), (("sampler", "num_steps"), 0),
]  # fmt: skip
# What only the reader refuses: a JSON Schema does not compare one place with another.
AT_ODDS = [
    ("gan", ("image", "range"), [1.0, -1.0]), ("gan", ("image", "height"), 15),
    ("gan", ("latent_dim",), 15), ("gan", (*FILES, "path"), "generator.fp16.onnx"),
    ("gan", (*FILES, "path"), "GENERATOR.fp16.onnx"), ("gan", (*FILES, "error", "logit"),
    {"max_abs": 0, "psnr_db": 1, "peak": 1}), ("gan", ("parts", "generator", "outputs", 0, "name"),
    "picture"), ("ddpm", ("sampler", "timesteps"), [0, 3, 6, 9]),
    ("ddpm", ("sampler", "timesteps"), [10, 6, 3, 0]), ("ddpm", ("sampler", "coef_xt"), [1.0]),
    ("ddpm", ("sampler", "coef_last", 0), 0.1), ("ddpm", ("sampler", "alpha_bars", 1), 0.999),
    ("ddpm", ("sampler", "alpha_bars"), [0.5]), ("ddpm", ("sampler", "alpha_bars", 0), 1e-9),
    ("ddpm", ("sampler", "coef_x0", 0), 1e39), ("ddpm", ("sampler", "num_steps"), 5),
    ("ddpm", ("sampler", "stochastic"), True), ("ddpm", ("sampler", "variance"), "fixed_small"),
    ("ddpm", ("sampler", "name"), "ddpm"), ("stochastic", ("sampler", "num_steps"), 3),
    ("stochastic", ("parts", "sampler", "inputs", 1, "shape"), [None, 3, 256]),
    ("stochastic", ("parts", "sampler", "inputs", 1, "name"), "noise"),
]  # fmt: skip


def mutated(values, path, new):
    values = copy.deepcopy(values)
    place = values
    for key in path[:-1]:
        place = place[key]
    if new is DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return values


def refusal(folder, values):
    """Return the message with which a kgen.json of these values is refused."""
    with pytest.raises(KgenError) as refused:
        Manifest.read(write(folder, json.dumps(values)))
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(("path", "new"), REFUSED)
def test_schema_and_reader_refuse_the_same(path, new, mappings, validator, tmp_path):
    values = mutated(mappings["gan"], path, new)
    assert not validator.is_valid(values)
    refusal(tmp_path, values)


@pytest.mark.parametrize(("path", "new"), REFUSED_SAMPLERS)
def test_schema_and_reader_refuse_the_same_of_samplers(path, new, mappings, validator, tmp_path):
    values = mutated(mappings["ddpm"], path, new)
    assert not validator.is_valid(values)
    refusal(tmp_path, values)


@pytest.mark.parametrize(("kind", "path", "new"), AT_ODDS)
def test_the_reader_refuses_what_contradicts_itself(kind, path, new, mappings, tmp_path):
    refusal(tmp_path, mutated(mappings[kind], path, new))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused_wherever_they_are(number, mappings, tmp_path):
    # json.dumps writes NaN, which is no JSON: no validator ever sees it.
    for path in ((*FILES, "picture", "psnr_db"), ("image", "range", 0), ("training", "seconds")):
        text = json.dumps(mutated(mappings["gan"], path, "HERE")).replace('"HERE"', number)
        with pytest.raises(KgenError, match="finite number"):
            Manifest.read(write(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '"kgen"', "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe",
     "[" * 100_000, "1" * 5000, '{"schema": ' + "1" * 5000 + "}"],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_json_object_is_refused(text, tmp_path):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(KgenError) as refused:
        Manifest.read(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_manifest_and_one_that_is_too_large_are_refused(tmp_path):
    with pytest.raises(KgenError, match="has none"):
        Manifest.read(tmp_path)
    with (tmp_path / FILE_NAME).open("wb") as file:
        file.truncate(2**25)
    with pytest.raises(KgenError, match="more than"):
        Manifest.read(tmp_path)


# Errors say where, what is expected, and what was received.


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        ((*FILES, "path"), "../x.onnx",
         "parts.generator.files[0].path is the name of a file in the bundle's folder. "
         "Received: '../x.onnx'."),
        ((*Z, "dtype"), "float64",
         "parts.generator.inputs[0].dtype is one of float32, int32. Received: 'float64'."),
        (("golden", "seed"), DELETE, "golden lacks seed."),
        (("spare",), 1, "kgen.json has 'spare', which is not known."),
        (("latent_dim",), 15,
         "The shape of generator's z, without the batch, is [15], as the other fields have it. "
         "Received: '[16]'."),
    ],
)  # fmt: skip
def test_a_refusal_says_where_what_and_why(path, new, message, mappings, tmp_path):
    assert refusal(tmp_path, mutated(mappings["gan"], path, new)) == message


# Anything at all, anywhere: KgenError and nothing else.

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([10**400, -1, "gan", "ddpm", "ddim", "\ud800"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=8) | st.sampled_from(["schema", "image", "z"]), inner,
                      max_size=4),
    max_leaves=8,
)  # fmt: skip


def places(values, path=()):
    """Yield the path of every value in a mapping, but for all but the first of a long list."""
    yield path
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, (*path, key))
    elif isinstance(values, list):
        for i, value in enumerate(values[:2]):
            yield from places(value, (*path, i))


@given(data=st.data())
def test_no_value_anywhere_raises_anything_but_a_kgen_error(data, mappings):
    values = mappings[data.draw(st.sampled_from(["gan", "stochastic"]))]
    path = data.draw(st.sampled_from([p for p in places(values) if p]))
    try:
        read = Manifest.from_mapping(mutated(values, path, data.draw(anything)))
    except KgenError:
        return
    # What is taken can be written and read again, and is the same then.
    assert Manifest.from_mapping(json.loads(json.dumps(read.to_mapping(), allow_nan=False))) == read


@given(values=anything)
def test_no_mapping_raises_anything_but_a_kgen_error(values):
    with pytest.raises(KgenError):
        Manifest.from_mapping(values)
    with pytest.raises(KgenError):
        SamplerTable.from_mapping(values)


def test_free_values_are_nested_only_so_deep():
    deep = 1
    for _ in range(fields.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(KgenError, match="nested too deeply"):
        fields.plain(deep, "training")


def test_what_cannot_be_read_back_is_not_written(bundles, tmp_path):
    wrong = replace(bundles["gan"].manifest, training={"loss": math.nan})
    with pytest.raises(ValueError, match="JSON"):
        wrong.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
