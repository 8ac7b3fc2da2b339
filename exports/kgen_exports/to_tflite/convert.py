"""From a Keras model to TFLite files: one SavedModel, converted once for each precision."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen_exports.manifest import TensorSpec
from kgen_exports.to_tflite import small

Feed = dict[str, np.ndarray]


def save(
    model: keras.Model,
    inputs: tuple[TensorSpec, ...],
    batch: int,
    folder: Path,
) -> Path:
    """Write a model for one fixed batch as a SavedModel, which is what TFLite converts.

    The converter that takes functions of a Keras 3 model in silence writes files that return NaN;
    by way of a SavedModel variables become constants. A dynamic batch would leave arithmetic on
    shapes in the file, which accelerators refuse, and makes XNNPACK's loops wrong now and then.

    Args:
        model: called with its inputs in order; returns a dict of outputs by name.
        inputs: name, shape and dtype of each.
        batch: pictures in a call.
        folder: an empty folder, or one that does not exist.
    """
    signature = [
        tf.TensorSpec((batch, *spec.shape[1:]), spec.dtype, name=spec.name) for spec in inputs
    ]

    def serve(first: Any, *more: Any) -> Any:
        return model([first, *more] if more else first, training=False)

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=signature)
    archive.write_out(str(folder), verbose=False)
    return folder


def convert_all(
    saved: Path, precisions: Iterable[str], feeds: Callable[[], Iterable[Feed]]
) -> Iterator[tuple[str, bytes]]:
    """Convert a SavedModel to every precision asked for; yield (precision, file).

    Args:
        saved: from :func:`save`.
        precisions: as for :func:`convert`; in float16, small constants stay float32.
        feeds: yields example inputs by name; for ``int8-static``.
    """
    whole: bytes | None = None
    for precision in precisions:
        content = convert(saved, precision, feeds)
        if precision == "fp32":
            whole = content
        if precision == "fp16":
            whole = whole or convert(saved, "fp32")
            content = small.restore(content, whole)
        yield precision, content


def convert(
    saved: Path, precision: str, feeds: Callable[[], Iterable[Feed]] | None = None
) -> bytes:
    """Convert a SavedModel, with built-in operations only: others are an error here, not in an app.

    Args:
        saved: from :func:`save`.
        precision: ``fp32``; ``fp16``, weights in float16; ``int8``, weights in int8, one scale per
            channel, activations quantized as they come; ``int8-static``, all in int8 with ranges
            seen on examples, inputs and outputs float32.
        feeds: yields example inputs by name; for ``int8-static``.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8-static":
        if feeds is None:
            raise ValueError("int8-static needs example inputs. Received: feeds=None.")
        converter.representative_dataset = feeds
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()
