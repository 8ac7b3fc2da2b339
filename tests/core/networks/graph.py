"""Trace every network on TensorFlow, the road to devices, and print what its graph holds.

Run as a script: the backend of a process is fixed, and the tests' own may be another.
"""

import json
import os
import sys
from typing import Any


def kind(op: Any) -> str:
    """Name an operation; strided slices that add an axis have a name of their own."""
    new_axis = op.type == "StridedSlice" and op.get_attr("new_axis_mask")
    return "StridedSliceNewAxis" if new_axis else op.type


def main() -> None:
    """Print ``{case: [[operation, largest rank, dtypes of its outputs], ...]}`` as JSON."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from tests.core.networks.cases import CASES, CLASSES, build

    report = {}
    for case in CASES:
        model = build(case, num_classes=CLASSES)
        specs = {
            t.name: tf.TensorSpec((1, *t.shape[1:]), t.dtype, name=t.name) for t in model.inputs
        }
        call = tf.function(lambda inputs, model=model: model(inputs, training=False))
        graph = call.get_concrete_function(specs).graph
        graphs = [graph, *[f.graph for f in graph._functions.values() if hasattr(f, "graph")]]
        report[case] = [
            [kind(op), max([o.shape.rank or 0 for o in op.outputs], default=0),
             [o.dtype.name for o in op.outputs]]
            for one in graphs
            for op in one.get_operations()
        ]  # fmt: skip
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
