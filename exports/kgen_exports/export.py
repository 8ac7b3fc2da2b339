"""An export from beginning to end: convert in a process of its own, prove, move into place."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from kgen.errors import KgenError
from kgen.run import Run
from kgen_exports import fidelity, handbook, report
from kgen_exports.divergence import ACTIVATIONS_NAME, explain
from kgen_exports.job import Job
from kgen_exports.manifest import FILE_NAME, Manifest
from kgen_exports.proof import Check, prove
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.session import RUNTIMES, installed
from kgen_exports.runtimes import PACKAGES
from kgen_exports.staging import check_free, move, staging

LOG = "converter.log"
USER_ERROR = 2
"""Status of a worker that ended with an error that the user can mend."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What an export made.

    Attributes:
        path: the bundle's folder.
        manifest: of the files that passed.
        passed: their checks.
        refused: checks of the files that did not pass and are not in the bundle.
    """

    path: Path
    manifest: Manifest
    passed: tuple[Check, ...]
    refused: tuple[Check, ...]


def export(job: Job, out: Path, *, force: bool = False, say: Say = lambda line: None) -> Exported:
    """Export a run, and prove that the files draw what the model draws.

    Args:
        job: what to export.
        out: the bundle's folder; nothing is there until all is done.
        force: write over a bundle that is there.
        say: told each step.

    Raises:
        KgenError: the run is not finished, `out` holds something, a converter failed, a float32
            file is not the model, or the disk is full. Nothing is left behind then, but for the
            converter's log, which the message names.
    """
    check_finished(Run.open(job.run))
    check_free(out, force, holds="bundle", ours=lambda folder: (folder / FILE_NAME).is_file())
    check_runtimes(job)
    with staging(out) as folder:
        convert(job, folder, out, say)
        bundle = Bundle(folder, Manifest.read(folder))
        checks, _ = prove(bundle, say)
        passed = tuple(c for c in checks if c.problem is None)
        refused = tuple(
            replace(c, problem=f"{c.problem}; {explain(bundle, c.part, c.entry)}")
            for c in checks
            if c.problem is not None
        )
        (folder / ACTIVATIONS_NAME).unlink(missing_ok=True)
        _refuse_float32(refused, bundle)
        for found in refused:
            (folder / found.entry.path).unlink()
        manifest = with_files(bundle.manifest, passed)
        manifest.write(folder)
        if job.fidelity:
            say(f"writing {fidelity.FILE_NAME}")
            fidelity.write(Bundle(folder, manifest), folder)
        handbook.write(folder, manifest)
        report.write(folder, manifest, passed, bundle.golden(), refused=refused)
        move(folder, out)
    return Exported(path=out, manifest=manifest, passed=passed, refused=refused)


def check_finished(run: Run) -> None:
    """Refuse a run that is not finished.

    Raises:
        KgenError: it is not.
    """
    if run.model_file.is_file():
        return
    summary = run.summary()
    steps = f"step {summary.get('step', 0)} of {summary.get('total_steps', '?')}"
    raise KgenError(
        f"An export takes a finished run. Received: {run.path}, at {steps}. Finish it with: "
        f"kgen train {run.config.family} --resume --run {run.path}"
    )


def check_runtimes(job: Job) -> None:
    """Refuse to write what cannot be run here: a file that was not run is not proven.

    Raises:
        KgenError: a runtime is not installed.
    """
    for runtime, form in RUNTIMES.items():
        if form in job.formats and runtime not in installed():
            others = [name for name in job.formats if name != form]
            rest = f", or export --{others[0]} only" if others else ""
            raise KgenError(
                f"Exporting {form} needs {runtime}, to run what it writes. "
                f"Install it: pip install {PACKAGES[runtime]}{rest}."
            )


def convert(job: Job, folder: Path, out: Path, say: Say) -> None:
    """Run the worker, in the folder that it fills.

    Raises:
        KgenError: it failed; the message names its log, kept beside the bundle's place.
    """
    # -P: a folder named kgen where the command is run must not be taken for the package.
    command = [sys.executable, "-P", "-m", "kgen_exports.worker", str(folder)]
    log = folder / LOG
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            env=environment(), text=True, encoding="utf-8",
        ) as process,
    ):  # fmt: skip
        try:
            _talk(process, job.to_json(), say)
        except BaseException:
            # Ctrl-C reaches the worker too; anything else must not leave it running.
            process.kill()
            raise
    status = process.returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    if status == USER_ERROR:
        raise KgenError(text.strip().splitlines()[-1])
    if status != 0:
        kept = out.with_name(f"{out.name}.log")
        shutil.copy(log, kept)
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "no message")
        raise KgenError(
            f"The converter failed with status {status}: {last.strip()[:200]}. Its log: {kept}"
        )
    log.unlink()


def _talk(process: subprocess.Popen[str], job: str, say: Say) -> None:
    """Hand a worker its job, and pass on what it says until it is silent."""
    if process.stdin is None or process.stdout is None:
        raise TypeError("The worker has no pipes.")
    with suppress(BrokenPipeError):  # it ended early; its status says why
        process.stdin.write(job)
        process.stdin.close()
    for line in process.stdout:
        say(line.rstrip())


def environment() -> dict[str, str]:
    """Make a worker's environment: TensorFlow on the CPU, quiet, importing what this imports."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "PYTHONWARNINGS": "ignore"}
    paths = os.pathsep.join(path for path in sys.path if path)
    kept = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "PYTHONPATH")}
    return {**kept, **quiet, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "-1"}


def _refuse_float32(refused: tuple[Check, ...], bundle: Bundle) -> None:
    """Raise KgenError if a float32 file is not the model: then no file can be trusted."""
    for found in refused:
        if found.entry.precision == "fp32":
            raise KgenError(f"{found.entry.path} is not the model: {found.problem}.")


def with_files(manifest: Manifest, checks: tuple[Check, ...]) -> Manifest:
    """Return the manifest with the files of these checks, and the errors that they measured."""
    parts = {
        name: replace(part, files=tuple(c.entry for c in checks if c.part == name))
        for name, part in manifest.parts.items()
    }
    return replace(manifest, parts=parts)
