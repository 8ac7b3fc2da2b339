"""Operators of a TFLite file that a device lacks, or that draw, loop or remember."""

from collections.abc import Iterator

from kgen_exports.flatbuffer import Operator
from kgen_exports.lint.report import Finding, finding_if
from kgen_exports.lint.tflite_graph import Contents

RANDOM = ("RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "MULTINOMIAL", "STABLEHLO_RNG_BIT_GENERATOR")
CONTROL_FLOW = ("WHILE", "IF", "CALL_ONCE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE")
_VARIABLES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")

# The operators that TFLite's GPU delegate takes, by its own list (OpenCL, OpenGL and Metal share
# it). Source: tensorflow/lite/tools/versioning/gpu_compatibility.cc.
_GPU_NAMES = """
    ABS ADD ADD_N ATAN2 AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DENSIFY DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
    EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
    GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM
    MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE
    REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT
    SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STABLEHLO_CLAMP STRIDED_SLICE SUB SUM TANH TILE
    TRANSPOSE TRANSPOSE_CONV
"""
_GPU = frozenset(_GPU_NAMES.split())

# The first version of an operator that tflite-runtime 2.14 (October 2023) refuses, as measured.
_YOUNG = {"FULLY_CONNECTED": 12}


def check(contents: Contents) -> Iterator[Finding]:
    """Yield what a device would object to in the operators."""
    custom = [operator for operator in contents.operators if operator.custom]
    yield from finding_if(
        [contents.label(operator) for operator in custom if operator.name.startswith("Flex")],
        "error", "flex-op",
        "TensorFlow operators (Flex): LiteRT has none of them, and an app that links them grows by "
        "tens of megabytes. Convert with TFLITE_BUILTINS only, and rewrite the layer that fails",
    )  # fmt: skip
    yield from finding_if(
        [contents.label(operator) for operator in custom if not operator.name.startswith("Flex")],
        "error", "custom-op",
        "custom operators, which no runtime has unless the app registers them. Express them with "
        "builtin operators",
    )  # fmt: skip
    yield from finding_if(
        [contents.label(operator) for operator in contents.operators if _random(operator)],
        "error", "random",
        "random numbers in the graph: every runtime draws others, some the same at every run. "
        "Make the noise an input",
    )  # fmt: skip
    yield from _variables(contents)
    yield from _control_flow(contents)
    yield from _gpu(contents)
    yield from finding_if(
        [
            f"{contents.label(operator)} (version {operator.version})"
            for operator in contents.operators
            if operator.version >= _YOUNG.get(operator.name, 10**9)
        ],
        "note", "young-op",
        "versions of operators that runtimes of 2023 (tflite-runtime 2.14) refuse to load",
    )  # fmt: skip


def _random(operator: Operator) -> bool:
    """Tell whether an operator draws random numbers, as a builtin or through TensorFlow."""
    flex = operator.custom and operator.name.startswith("Flex") and "Random" in operator.name
    return operator.name in RANDOM or flex


def _variables(contents: Contents) -> Iterator[Finding]:
    """Find values that live outside the graph."""
    if contents.named("ASSIGN_VARIABLE"):
        yield from finding_if(
            contents.named(*_VARIABLES), "warning", "variables",
            "variables keep their values from one run to the next: results depend on what ran "
            "before, and delegates refuse them",
        )  # fmt: skip
        return
    yield from finding_if(
        contents.named(*_VARIABLES), "error", "variables",
        "weights are left in variables, and nothing in the file fills them: it returns NaN. "
        "Export through a SavedModel, not from a concrete function",
    )  # fmt: skip


def _control_flow(contents: Contents) -> Iterator[Finding]:
    """Find loops and branches, and loops with an open size."""
    loops = contents.named(*CONTROL_FLOW)
    yield from finding_if(
        loops, "note", "control-flow",
        "loops and branches run on the CPU only; delegates other than XNNPACK refuse the file",
    )  # fmt: skip
    if any(tensor.dynamic for tensor in contents.inputs):
        yield from finding_if(
            loops, "error", "dynamic-loop",
            "a loop in a file with open sizes: with XNNPACK the first run was seen to give a wrong "
            "result, in one of three to six processes. Export with a fixed batch",
        )  # fmt: skip


def _gpu(contents: Contents) -> Iterator[Finding]:
    """Find operators that a GPU would hand back to the CPU, in files that could run there."""
    lacking = [
        operator
        for operator in contents.operators
        if not operator.custom
        and operator.name not in (*_GPU, *CONTROL_FLOW, *RANDOM, *_VARIABLES)
    ]  # fmt: skip
    yield from finding_if(
        [contents.label(operator) for operator in lacking], "warning", "gpu-op",
        f"TFLite's GPU delegate (OpenCL, OpenGL, Metal) lacks {', '.join(_kinds(lacking))}: each "
        "one splits the graph, with copies between GPU and CPU",
    )  # fmt: skip
    yield from finding_if(
        contents.named("SUM"), "note", "gpu-sum",
        "sums overflow float16 early, which GPU delegates compute in by default: use MEAN, or "
        "demand float32 on the GPU",
    )  # fmt: skip


def _kinds(operators: list[Operator]) -> list[str]:
    """List the operators' names once each."""
    return sorted({operator.name for operator in operators})
