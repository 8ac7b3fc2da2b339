"""What may change when a run goes on, and what may not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kgen import run_config
from kgen.errors import KgenError
from kgen.files import holds_only_leftovers, remove_leftovers
from kgen.run import CONFIG, Run
from kgen.run_config import RunConfig

# Everything else would make another model, other batches or another optimizer. Precision is here
# because weights are float32 in all of them; the source, because data folders get moved.
CHANGEABLE = frozenset(
    {
        "training.epochs",
        "training.steps",
        "training.accumulate",
        "training.backend",
        "training.device",
        "training.precision",
        "training.deterministic",
        "training.checkpoint_minutes",
        "training.sample_epochs",
        "data.source",
        "output.grid",
        "output.tensorboard",
    }
)


def open_run(family: str, folder: Path | None, root: Path) -> Run:
    """Open the run to go on with: that folder, or the newest of the family.

    What a killed process left half written in it is removed.

    Raises:
        KgenError: there is no such run, it is another family's, or it is being trained now.
    """
    run = Run.open(folder or family, root=root)
    if run.config.family != family:
        raise KgenError(
            f"{run.path} is a run of {run.config.family}. "
            f"Continue it with: kgen train {run.config.family} --resume --run {run.path}"
        )
    summary = run.summary()
    if summary.get("status") == "running":
        raise KgenError(
            f"{run.path} is being trained now, by process {summary.get('pid')}. "
            "Stop that first, or start a new run without --resume."
        )
    remove_leftovers(run.path)
    return run


class Finished(KgenError):
    """A run that was to go on is done, and is not to get longer."""


def open_if_begun(family: str, folder: Path) -> Run | None:
    """Open the run in `folder` to go on with it; None where none was begun there.

    For commands that a machine starts again, which cannot know how far they came.

    Raises:
        KgenError: as :func:`open_run`.
    """
    if (folder / CONFIG).is_file():
        return open_run(family, folder, folder.parent)
    if holds_only_leftovers(folder):  # of a start that was killed at once
        remove_leftovers(folder)
    return None


def changed_config(
    run: Run, *, preset: str | None, file: Path | None, overrides: Mapping[str, Any]
) -> RunConfig:
    """Lay what was asked for over a run's own configuration.

    Options that have the run's own value are no change, so that the command that began a run
    continues it with --resume added.

    Raises:
        Finished: the run is done and gets no longer.
        KgenError: an option would change what the run is.
    """
    if preset is not None and preset != run.config.preset:
        raise KgenError(
            f"{run.path} was begun with --preset {run.config.preset}, which cannot change. "
            "Leave --preset out, or start a new run without --resume."
        )
    wanted = {**(_flat(run_config.read_toml(file)) if file else {}), **overrides}
    config = run_config.resolve(run.config.family, file=run.path / CONFIG, overrides=wanted)
    before, after = _flat(run.config.to_mapping()), _flat(config.to_mapping())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key not in CHANGEABLE:
            raise KgenError(
                f"{run.path} cannot go on with another {key}: it has {before.get(key)!r}, "
                f"asked for {after.get(key)!r}. Leave the option out, or start a new run without "
                "--resume."
            )
    _check_length(run, config)
    return config


def _check_length(run: Run, config: RunConfig) -> None:
    """Refuse a length below what is done, and a finished run that gets no longer."""
    summary = run.summary()
    same = (config.training.epochs, config.training.steps) == (
        run.config.training.epochs,
        run.config.training.steps,
    )
    if summary.get("status") == "finished" and same:
        raise Finished(
            f"{run.path} is finished ({summary.get('step')} steps). "
            "Give more --epochs or --steps to go on, or sample it with: "
            f"kgen sample {run.path}"
        )
    for unit in ("epoch", "step"):
        asked, done = getattr(config.training, f"{unit}s"), summary.get(unit, 0)
        if asked is not None and asked < done:
            raise KgenError(
                f"{run.path} already has {done} {unit}s; training can only get longer. "
                f"Received: --{unit}s {asked}."
            )


def _flat(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the sections of a configuration into `section.key` names."""
    return {
        f"{section}.{key}": value
        for section, values in mapping.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
    }
