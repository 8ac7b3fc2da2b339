"""A process that times Keras on request, so that a file and Keras can be measured in turn.

``python -m kgen_exports.keras_timer RUN BUNDLE THREADS`` loads the run's model on TensorFlow, says
that it is ready, and answers every line of JSON on standard input by one on standard output. A
process of its own, because the number of threads is fixed when TensorFlow starts.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from kgen.errors import KgenError
from kgen_exports.export import USER_ERROR, environment


@contextmanager
def keras_timer(run: Path, bundle: Path, threads: int) -> Iterator["KerasTimer"]:
    """Yield the process, its model loaded; it ends with the block.

    Args:
        run: folder of the run.
        bundle: folder of its bundle, for the inputs.
        threads: of TensorFlow.

    Raises:
        KgenError: the model cannot be loaded.
    """
    # -P: a folder named kgen where the command is run must not be taken for the package.
    command = [sys.executable, "-P", "-m", "kgen_exports.keras_timer"]
    with (
        # To a file: a pipe that nobody reads would block what writes much.
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(
            [*command, str(run), str(bundle), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=environment(), text=True, encoding="utf-8",
        ) as process,
    ):  # fmt: skip
        timer = KerasTimer(process, log)
        try:
            timer.answer()
            yield timer
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                timer.questions.close()


class KerasTimer:
    """The process, from the side of the one that asks; made by :func:`keras_timer`."""

    def __init__(self, process: "subprocess.Popen[str]", log: IO[str]):
        if process.stdin is None or process.stdout is None:
            raise KgenError("Keras could not be started.")
        self.questions, self._answers = process.stdin, process.stdout
        self._process, self._log = process, log

    def seconds(self, **asked: Any) -> list[float]:
        """Return the seconds of each run.

        Args:
            asked: ``part``, ``work``, ``batch`` and ``runs``, as :func:`kgen_exports.bench.job`
                takes them.
        """
        # Has it ended, then what it said last is in the log.
        with suppress(BrokenPipeError):
            self.questions.write(json.dumps(asked) + "\n")
            self.questions.flush()
        return self.answer()

    def answer(self) -> Any:
        """Read a line of JSON.

        Raises:
            KgenError: the process has ended; the message is its last.
        """
        line = self._answers.readline()
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._log.seek(0)
        said = [text.strip() for text in self._log.read().splitlines() if text.strip()]
        last = said[-1] if said else "no message"
        if status == USER_ERROR:
            raise KgenError(last)
        raise KgenError(f"Keras could not be timed, status {status}: {last[:200]}")


def main() -> None:
    """Load the model and answer until standard input ends."""
    run, bundle, threads = sys.argv[1:]
    # What libraries print must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    try:
        timer = _Timer(run, bundle, int(threads))
    except KgenError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USER_ERROR)
    answers.write('"ready"\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(timer.seconds(**json.loads(line))) + "\n")
        answers.flush()


class _Timer:
    """The model, and the work that was asked for so far, compiled."""

    def __init__(self, run: str, bundle: str, threads: int):
        from kgen import backend

        backend.select("tensorflow", device="cpu")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        from kgen import device
        from kgen.run import Run
        from kgen_exports.parts import parts_of, sampler_part
        from kgen_exports.runtime import load
        from kgen_exports.worker import float32_model

        device.setup(device="cpu", precision="float32")
        opened = load(bundle)
        self.manifest, self.golden = opened.manifest, opened.golden()
        self.model = float32_model(Run.open(run))
        self.parts = parts_of(self.model)
        if self.manifest.sampler is not None:
            self.parts["sampler"] = sampler_part(self.model, self.manifest.sampler)  # type: ignore[arg-type]
        self.calls: dict[str, Any] = {}

    def seconds(self, *, part: str, work: str, batch: int, runs: int) -> list[float]:
        """Time a part."""
        from kgen_exports.bench import job, timed

        if part not in self.calls:
            self.calls[part] = compiled(self.model, self.parts[part])
        return timed(job(self.manifest, self.golden, part, work, batch, self.calls[part]), runs)


def compiled(model: Any, part: Any) -> Any:
    """Compile a part as kgen does to draw a picture; from arrays by name to arrays by name."""
    from keras import ops

    from kgen.step import engine

    network = part.model()

    def run(*inputs: Any) -> Any:
        return network(inputs[0] if len(inputs) == 1 else list(inputs), training=False)

    function = engine().compiled(model, run)
    names: list[str] = [spec.name for spec in part.inputs]

    def call(feeds: dict[str, Any]) -> dict[str, Any]:
        made = function(*(ops.convert_to_tensor(feeds[name]) for name in names))
        return {name: ops.convert_to_numpy(tensor) for name, tensor in made.items()}

    return call


if __name__ == "__main__":
    main()
