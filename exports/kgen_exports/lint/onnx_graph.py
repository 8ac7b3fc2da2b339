"""Operators, versions and control flow of an ONNX file."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kgen_exports.lint.onnx_types import Facts, label
from kgen_exports.lint.report import Finding, finding_if

# Keras writes up to 18; below 15 operators that kgen's networks need change meaning.
OPSETS = range(15, 19)

# ONNX Runtime 1.22, the oldest that kgen runs with, knows IR version 10.
NEWEST_IR = 10

CONTROL_FLOW = ("Loop", "If", "Scan", "SequenceMap")
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
          "Multinomial", "Bernoulli")  # fmt: skip
_MICROSOFT = ("com.microsoft", "com.ms.")


def check(facts: Facts) -> Iterator[Finding]:
    """Yield what a device would object to in the operators."""
    yield from _versions(facts.model)
    yield from _domains(facts)
    yield from finding_if(
        [label(node) for node in facts.nodes if _random(node, facts)], "error", "random",
        "random numbers in the graph: every runtime draws others, some the same at every run. "
        "Make the noise an input",
    )  # fmt: skip
    yield from finding_if(
        [label(node) for node in facts.nodes if node.op_type in CONTROL_FLOW],
        "note", "control-flow",
        "loops and branches run on the CPU only; accelerators take at most what is inside",
    )  # fmt: skip
    yield from finding_if(
        [
            label(node)
            for node in facts.nodes
            if node.op_type == "Resize"
            and any(a.s == b"tf_half_pixel_for_nn" for a in node.attribute)
        ],
        "warning", "resize-mode",
        "the resize mode tf_half_pixel_for_nn left the standard with opset 13: some runtimes only "
        "warn, others refuse it. Use half_pixel",
    )  # fmt: skip


def opsets(model: Any) -> dict[str, int]:
    """Return the version of every operator set that a model uses."""
    return {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}


def _versions(model: Any) -> Iterator[Finding]:
    """Find versions that runtimes on phones may not know."""
    opset = opsets(model).get("ai.onnx")
    if opset is not None and opset not in OPSETS:
        yield Finding(
            severity="warning",
            rule="opset",
            message=f"opset {opset} is outside {OPSETS[0]} to {OPSETS[-1]}, which runtimes on "
            f"phones know and kgen tests. Export with opset 17",
        )
    if model.ir_version > NEWEST_IR:
        yield Finding(
            severity="warning",
            rule="ir-version",
            message=f"IR version {model.ir_version} is refused by runtimes that know only "
            f"{NEWEST_IR} (ONNX Runtime 1.22 and older). Opsets to 18 need no more than 8",
        )


def _domains(facts: Facts) -> Iterator[Finding]:
    """Find operators that the ONNX standard lacks."""
    # A function that the file itself defines is spelled out by the runtime.
    own = {(function.domain, function.name) for function in facts.model.functions}
    by_domain: defaultdict[str, list[str]] = defaultdict(list)
    for node in facts.nodes:
        if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) not in own:
            by_domain[node.domain].append(f"{node.domain}:{label(node)}")
    for domain, names in by_domain.items():
        if domain.startswith(_MICROSOFT):
            yield from finding_if(
                names, "warning", "contrib-op",
                "operators of ONNX Runtime's own: no other runtime has them. Export without "
                "runtime optimisations",
            )  # fmt: skip
        elif domain == "ai.onnx.ml":
            yield from finding_if(
                names, "warning", "contrib-op",
                "operators of classical machine learning, which reduced mobile builds leave out",
            )  # fmt: skip
        else:
            yield from finding_if(
                names, "error", "custom-op",
                f"operators of {domain!r}, which no runtime has unless the app brings them. "
                "Express them with standard operators",
            )  # fmt: skip


def _random(node: Any, facts: Facts) -> bool:
    """Tell whether a node draws random numbers."""
    if node.domain not in ("", "ai.onnx"):
        return False
    # Dropout draws only if its third input, `training_mode`, is there and true.
    dropout = node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]
    return node.op_type in RANDOM or bool(dropout and not facts.is_false(node.input[2]))
