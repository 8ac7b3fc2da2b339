"""Types, ranks and open sizes of the tensors in a TFLite file."""

from collections.abc import Iterator

from kgen_exports.lint.onnx_types import MAX_RANK
from kgen_exports.lint.report import Finding, finding_if
from kgen_exports.lint.tflite_graph import Contents, Tensor

# RESOURCE stands for a variable, which has a rule of its own.
_FOREIGN = (
    "STRING", "COMPLEX64", "COMPLEX128", "BFLOAT16", "UINT64", "VARIANT", "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
)  # fmt: skip
_INT4 = ("INT4", "UINT4", "INT2")


def check(contents: Contents) -> Iterator[Finding]:
    """Yield what a device would object to in the tensors."""
    yield from _ranks(contents)
    yield from _open_sizes(contents)
    yield from _types(contents)
    yield from finding_if(
        [
            f"{tensor.name} ({tensor.kind.lower()})"
            for tensor in (*contents.inputs, *contents.outputs)
            if tensor.kind in ("INT8", "UINT8", "INT16")
        ],
        "warning", "quantized-io",
        "inputs or outputs are quantized: LiteRT.js refuses them, and every host must know scale "
        "and zero point. Keep them float32",
    )  # fmt: skip


def _ranks(contents: Contents) -> Iterator[Finding]:
    """Find tensors with more axes than GPU delegates have."""
    transposes, others = [], []
    for operator in contents.operators:
        if any(len(tensor.sizes) > MAX_RANK for tensor in contents.of(operator)):
            found = transposes if operator.name == "TRANSPOSE" else others
            found.append(contents.label(operator))
    yield from finding_if(
        transposes, "error", "transpose-rank",
        f"transposes of more than {MAX_RANK} axes, which GPU delegates lack and CPUs run slowly. "
        "Split them, or reshape so that at most 4 axes move",
    )  # fmt: skip
    yield from finding_if(
        others, "error", "rank",
        f"tensors of more than {MAX_RANK} axes, which GPU delegates refuse. Reshape with (batch, "
        "height * width, groups, channels / groups), and enlarge with a resize operator",
    )  # fmt: skip


def _open_sizes(contents: Contents) -> Iterator[Finding]:
    """Find sizes that are known only when the model runs."""
    if any(tensor.dynamic for tensor in contents.inputs):
        yield from finding_if(
            [str(tensor) for tensor in (*contents.inputs, *contents.outputs) if tensor.dynamic],
            "error", "dynamic",
            "open sizes: LiteRT.js rejects the file and GPU delegates do not take it, even if only "
            "the batch is open. Export with a fixed batch",
        )  # fmt: skip
        return
    yield from finding_if(
        [str(tensor) for tensor in contents.tensors if tensor.dynamic], "error", "dynamic-inside",
        "sizes depend on values, though all inputs are fixed: delegates refuse such files",
    )  # fmt: skip


def _types(contents: Contents) -> Iterator[Finding]:
    """Find types that phones' runtimes lack, or run on slow kernels."""
    # Weights in float16 or int8 are what small files are made of; activations are the trouble.
    computed = [tensor for tensor in contents.tensors if not tensor.constant]
    yield from finding_if(
        _named(contents.tensors, "FLOAT64"), "error", "float64",
        "float64, which most kernels and all delegates lack. Cast tables and constants to float32",
    )  # fmt: skip
    yield from finding_if(
        [f"{t.name} ({t.kind.lower()})" for t in contents.tensors if t.kind in _FOREIGN],
        "error", "dtype",
        "types that runtimes on phones have no kernels for. Use float32, int32 or int8",
    )  # fmt: skip
    yield from finding_if(
        _named(contents.tensors, *_INT4), "warning", "young-dtype",
        "weights of 4 bits or fewer: LiteRT 1.4 was seen to load block-wise ones and to compute "
        "something else. Test on the oldest runtime that you ship",
    )  # fmt: skip
    yield from finding_if(
        _named(computed, "FLOAT16"), "warning", "float16",
        "activations in float16: the CPU has few such kernels. Store the weights in float16 and "
        "DEQUANTIZE them",
    )  # fmt: skip
    yield from finding_if(
        _named(computed, "INT64"), "warning", "int64",
        "values in int64, which delegates leave to the CPU. Use int32",
    )  # fmt: skip
    yield from finding_if(
        _named(computed, "INT16"), "warning", "int16",
        "activations in int16 (16x8 quantization) run on reference kernels, ten times slower. "
        "Use float16 weights, or dynamic-range int8",
    )  # fmt: skip


def _named(tensors: list[Tensor], *kinds: str) -> list[str]:
    """Name the tensors of some types."""
    return [tensor.name for tensor in tensors if tensor.kind in kinds]
