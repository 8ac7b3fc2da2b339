"""One model file opened in the runtime that runs it: named arrays in, named arrays out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

from kgen.errors import KgenError

Arrays = Mapping[str, np.ndarray]

RUNTIMES = {"onnxruntime": "onnx", "litert": "tflite"}
"""Format that each runtime runs, by the runtime's name."""
MODULES = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert"}
DEVICES = ("cpu", "gpu")
MAX_FILE_BYTES = 2 * 2**30
"""Largest model file that is opened; both formats end there."""


class Session(ABC):
    """A model ready to run.

    Attributes:
        inputs: names and shapes; an unknown size is None.
        outputs: names, in the file's order.
    """

    inputs: dict[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]

    @abstractmethod
    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        """Run once on arrays by name; their first axes are the batch that the file takes."""

    def run_all(self, feeds: Arrays, batch: int | None) -> dict[str, np.ndarray]:
        """Run on any number of rows: in pieces of `batch`, or at once where it is None.

        A last piece that is too short is filled up with its own last row.
        """
        count = len(next(iter(feeds.values())))
        size = batch or count
        pieces = []
        for start in range(0, count, size):
            rows = np.minimum(np.arange(start, start + size), count - 1)
            made = self.run({name: np.ascontiguousarray(a[rows]) for name, a in feeds.items()})
            pieces.append({name: a[: min(size, count - start)] for name, a in made.items()})
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def installed() -> list[str]:
    """List the runtimes that can be imported here, by name."""
    return [name for name, module in MODULES.items() if util.find_spec(module) is not None]


def open_session(
    path: Path, *, runtime: str, device: str = "cpu", threads: int | None = None
) -> Session:
    """Open a model file.

    Args:
        path: .onnx for onnxruntime, .tflite for litert.
        runtime: ``onnxruntime`` or ``litert``.
        device: ``cpu``, or ``gpu`` for ONNX Runtime with CUDA.
        threads: of the CPU; None leaves it to the runtime.

    Raises:
        KgenError: the runtime is not installed, the device is not there, or the file is not whole.
    """
    if runtime not in RUNTIMES:
        raise KgenError(
            f"runtime takes one of {', '.join(RUNTIMES)}. Received: runtime={runtime!r}."
        )
    if device not in DEVICES:
        raise KgenError(f"device takes one of {', '.join(DEVICES)}. Received: device={device!r}.")
    if util.find_spec(MODULES[runtime]) is None:
        package = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert"}[runtime]
        raise KgenError(f"{path.name} needs {runtime}. Install it: pip install {package}")
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise KgenError(f"{path} is not a file of at most {MAX_FILE_BYTES} bytes.")
    kind = OnnxSession if runtime == "onnxruntime" else LiteRTSession
    try:
        return kind(path, device, threads)
    except KgenError:
        raise
    # Each runtime raises classes of its own for a file that it cannot read.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise KgenError(f"{runtime} cannot open {path}: {first}") from error


class OnnxSession(Session):
    """ONNX Runtime."""

    def __init__(self, path: Path, device: str, threads: int | None):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4 if device == "gpu" else 3
        if threads:
            options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        if device == "gpu":
            providers.insert(0, "CUDAExecutionProvider")
            _require_cuda(ort.get_available_providers())
        # From bytes: a file that points to others for its weights is refused, not followed.
        self._session: Any = ort.InferenceSession(path.read_bytes(), options, providers=providers)
        if device == "gpu" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise KgenError(
                "device='gpu' expects a CUDA GPU, its driver, and the CUDA and cuDNN that this "
                "onnxruntime-gpu was built for. Received: none that ONNX Runtime could start. "
                "See kgen doctor, or use --device cpu."
            )
        self.inputs = {
            i.name: tuple(n if isinstance(n, int) else None for n in i.shape)
            for i in self._session.get_inputs()
        }
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        """Run once."""
        return dict(zip(self.outputs, self._session.run(None, dict(feeds)), strict=True))


def _require_cuda(available: list[str]) -> None:
    """Check that ONNX Runtime was built with CUDA.

    Raises:
        KgenError: it was not, or the CPU build has overwritten the one that was.
    """
    if "CUDAExecutionProvider" in available:
        return
    found = sorted(
        {
            name
            for d in metadata.distributions()
            if (name := d.metadata["Name"]) in ("onnxruntime", "onnxruntime-gpu")
        }
    )
    mend = (
        "Both packages are installed and overwrite each other: pip uninstall onnxruntime "
        "onnxruntime-gpu, then pip install onnxruntime-gpu"
        if len(found) == 2
        else "pip install onnxruntime-gpu in place of onnxruntime"
    )
    raise KgenError(
        f"device='gpu' expects ONNX Runtime built with CUDA. Received: {', '.join(found)} with "
        f"{', '.join(available)}. {mend}, or use --device cpu."
    )


class LiteRTSession(Session):
    """LiteRT, the runtime of .tflite files; inputs are fed by their signature's names."""

    def __init__(self, path: Path, device: str, threads: int | None):
        if device == "gpu":
            raise KgenError(
                "LiteRT's Python package runs on CPUs. Received: device='gpu'. Use "
                "--runtime onnxruntime for a GPU, or --device cpu."
            )
        from ai_edge_litert.interpreter import Interpreter

        # From bytes too: the file may be replaced while it is open.
        self._interpreter: Any = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        signatures = self._interpreter.get_signature_list()
        if len(signatures) != 1:
            raise KgenError(f"{path} has {len(signatures)} signatures; kgen's files have one.")
        (key,) = signatures
        self._runner = self._interpreter.get_signature_runner(key)
        # A signature lists its names by the alphabet; what counts is the order in the file.
        ins, outs = self._runner.get_input_details(), self._runner.get_output_details()
        shapes = {name: ins[name]["shape_signature"] for name in ins}
        self.inputs = {
            name: tuple(None if n < 0 else int(n) for n in shapes[name])
            for name in _in_file_order(ins, self._interpreter.get_input_details())
        }
        self.outputs = _in_file_order(outs, self._interpreter.get_output_details())

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        """Run once."""
        return self._runner(**feeds)


def _in_file_order(
    details: Mapping[str, Mapping[str, Any]], tensors: list[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return a signature's names in the order in which the file lists their tensors."""
    position = {tensor["index"]: place for place, tensor in enumerate(tensors)}
    return tuple(sorted(details, key=lambda name: position[details[name]["index"]]))
