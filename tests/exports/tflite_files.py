"""Makes TFLite files, good and bad, with TensorFlow: a program for a process of its own.

Usage: `python tflite_files.py FOLDER`. Writes `FOLDER/NAME.tflite` for every name in `MODELS`.
"""

import sys
from pathlib import Path

import numpy as np

# Name -> shape of the input `x`, and settings of the converter. The functions are in `functions`.
MODELS = {
    "clean": ((1, 16), {}),
    "open batch": ((None, 16), {}),
    "flex": ((1, 16), {"flex": True}),
    "rank 5": ((1, 16), {}),
    "transpose of rank 5": ((1, 2, 3, 4, 5), {}),
    "random": ((1, 16), {}),
    "loop": ((1, 16), {}),
    "open loop": ((None, 16), {}),
    "float64": ((1, 16), {}),
    "int64": ((1, 16), {}),
    "float16 weights": ((1, 16), {"float16": True}),
    "int8 weights": ((1, 16), {"optimize": True}),
    "gpu lacks": ((1, 16), {}),
    "sum": ((1, 16), {}),
    "sizes by values": ((1, 16), {}),
}


def functions(tf):
    """Return what each model computes of `x` and the weights `w` (16, 16)."""

    def loop(x, w):
        return tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v @ w), (0, x))[1]

    return {
        "clean": lambda x, w: tf.nn.leaky_relu(x @ w),
        "open batch": lambda x, w: x @ w,
        "flex": lambda x, w: x + tf.random.stateless_normal((1, 16), (1, 2)),
        "rank 5": lambda x, w: tf.reshape(x, (1, 2, 2, 2, 2)) * 2.0,
        "transpose of rank 5": lambda x, w: tf.transpose(x, (4, 3, 2, 1, 0)),
        "random": lambda x, w: x + tf.random.normal((1, 16)),
        "loop": loop,
        "open loop": loop,
        "float64": lambda x, w: tf.cast(tf.cast(x, tf.float64), tf.float32) @ w,
        "int64": lambda x, w: tf.gather(w, tf.cast(x, tf.int64)[0]),
        "float16 weights": lambda x, w: x @ w,
        "int8 weights": lambda x, w: x @ tf.tile(w, (1, 8)),
        "gpu lacks": lambda x, w: tf.reverse(x, [1]),
        "sum": lambda x, w: tf.reduce_sum(x @ w, 1),
        "sizes by values": lambda x, w: tf.where(x > 0),
    }


def module_of(tf, compute, shape):
    """Return a module with weights, whose function `f` computes `y` of `x`."""
    module = tf.Module()
    module.w = tf.Variable(np.random.default_rng(0).normal(size=(16, 16)).astype("float32"))
    module.f = tf.function(
        lambda x: {"y": compute(x, module.w)},
        input_signature=[tf.TensorSpec(shape, tf.float32, name="x")],
    )
    return module


def main(folder):
    import tensorflow as tf

    computes = functions(tf)
    for name, (shape, settings) in MODELS.items():
        module = module_of(tf, computes[name], shape)
        function = module.f.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if "flex" in settings:
            converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
        if settings.keys() & {"float16", "optimize"}:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if "float16" in settings:
            converter.target_spec.supported_types = [tf.float16]
        (folder / f"{name}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
