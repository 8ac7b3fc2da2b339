"""`kgen train`: a command per family, with that family's options."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgen import families, presets, run_config
from kgen.run import Run
from kgen.run_config import RunConfig
from kgen_cli import resume as resuming
from kgen_cli import session
from kgen_cli.application import STOPPED, Settings, settings
from kgen_cli.options import (
    choice,
    config_options,
    dim,
    optional,
    parse_assignments,
    with_options,
)
from kgen_cli.several import (
    JOIN_SECONDS,
    Coordinator,
    Devices,
    JoinTimeout,
    NumProcesses,
    ProcessId,
    Team,
    team,
    together,
)
from kgen_cli.text import duration, plan_lines

if TYPE_CHECKING:
    from kgen.report import Result

app = typer.Typer(help="Train a model on pictures.", no_args_is_help=True, rich_markup_mode="rich")


def _add(family: str) -> None:
    """Add the command that trains a family."""
    derived = config_options(family)
    known = tuple(presets.PRESETS[family])
    preset_help = "Starting point." + dim(f" [{' | '.join(known)}; default: {known[0]}]")

    def train(
        ctx: typer.Context,
        values: dict[str, Any],
        config: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", help="TOML file of options, such as the config.toml of a run."
            ),
        ] = None,
        assignments: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="An option by its name in the TOML file: model.latent_dim=32. Repeatable.",
            ),
        ] = None,
        run: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Folder of the run." + dim(" [default: named after family, data and time]"),
            ),
        ] = None,
        resume: Annotated[
            bool,
            typer.Option(
                "--resume",
                metavar="",
                help="Continue the run in --run, or the family's newest, where it was.",
            ),
        ] = False,
        auto_resume: Annotated[
            bool,
            typer.Option(
                "--auto-resume",
                metavar="",
                help="Begin the run in --run, or continue it where it was; nothing to do if it is "
                "finished. For commands that a cluster starts again.",
            ),
        ] = False,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run",
                metavar="",
                help="Print the configuration, parameters, memory and steps; train nothing.",
            ),
        ] = False,
        devices: Devices = None,
        coordinator: Coordinator = None,
        num_processes: NumProcesses = None,
        process_id: ProcessId = None,
        join_timeout: JoinTimeout = JOIN_SECONDS,
    ) -> None:
        preset = values.pop("preset", None)
        by_name = {option.parameter_name: option for option in derived}
        given = {by_name[name].key: by_name[name].parse(value) for name, value in values.items()}
        overrides = _overrides(parse_assignments(assignments or []), given)
        here = settings(ctx)
        own = team(devices, coordinator, num_processes, process_id, join_timeout)
        name = None if preset is None else preset.value
        target = _target(family, run, resume, auto_resume, here)
        try:
            if target is None:
                resolved = run_config.resolve(family, preset=name, file=config, overrides=overrides)
            else:
                resolved = resuming.changed_config(
                    target, preset=name, file=config, overrides=overrides
                )
        except resuming.Finished as finished:
            if not auto_resume:
                raise
            typer.echo(finished)
            return
        if dry_run:
            _dry_run(resolved, own, here)
        else:
            _train(resolved, target, run, own, here)

    preset_info = typer.Option(help=preset_help, metavar="NAME", show_default=False)
    parameters = [
        optional("preset", choice("preset", known), preset_info),
        *(option.parameter() for option in derived),
    ]
    about = families.family(family).summary
    app.command(family, help=about)(with_options(train, parameters))


for _family in families.FAMILIES:
    _add(_family)


def _target(
    family: str, folder: Path | None, resume: bool, auto_resume: bool, here: Settings
) -> Run | None:
    """Return the run to go on with; None where a new one begins."""
    if not auto_resume:
        return resuming.open_run(family, folder, here.runs_root) if resume else None
    if resume:
        raise typer.BadParameter(
            "takes the place of --resume. Leave one of them out.", param_hint="'--auto-resume'"
        )
    if folder is None:
        raise typer.BadParameter(
            "expects --run DIR: without it, every start would be a new run.",
            param_hint="'--auto-resume'",
        )
    return resuming.open_if_begun(family, folder)


def _overrides(assigned: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put --set and options together; the same thing twice is a mistake, not a precedence."""
    twice = sorted(assigned.keys() & given.keys())
    if twice:
        raise typer.BadParameter(
            f"{twice[0]} is given twice, by --set and by its own option. Give it once.",
            param_hint="'--set'",
        )
    overrides = assigned | given
    if {"training.epochs", "training.steps"} <= overrides.keys():
        raise typer.BadParameter(
            "training length takes epochs or steps, not both. "
            f"Received: --epochs {overrides['training.epochs']} "
            f"--steps {overrides['training.steps']}.",
            param_hint="'--steps'",
        )
    return overrides


def _start(
    config: RunConfig, here: Settings, devices: int | None, join: Callable[[], None] | None = None
) -> None:
    """Select the backend and devices of a configuration."""
    training = config.training
    session.start(
        backend_name=training.backend,
        device=training.device,
        precision=training.precision,
        deterministic=training.deterministic,
        seed=training.seed,
        devices=devices,
        join=join,
        debug=here.debug,
    )


def _dry_run(config: RunConfig, own: Team, here: Settings) -> None:
    """Print what a training would be in this process."""
    _start(config, here, own.devices)
    from kgen.training import prepare
    from kgen_cli.progress import reporter

    with reporter() as report:
        plan = prepare(config, report).plan
    # TOML with the plan as comments: the output serves as a --config file.
    typer.echo(config.to_toml())
    for line in plan_lines(plan, every_file=True):
        typer.echo(f"# {line}")


def _train(
    config: RunConfig, target: Run | None, folder: Path | None, own: Team, here: Settings
) -> None:
    """Train a new run, or go on with `target`, and say how it ended."""
    resume = target is not None
    run = Run(path=folder or here.runs_root, config=config) if target is None else target
    with together(own, config, run, resume=resume, debug=here.debug) as connect:
        _start(config, here, own.devices, connect)
        from kgen.report import Reporter
        from kgen.training import train
        from kgen_cli.progress import reporter

        if own.writes:
            run = _written(config, target, folder, here)
        try:
            with reporter() if own.writes else nullcontext(Reporter()) as report:
                result = train(run, resume=resume, reporter=report)
        except BaseException:
            if target is None and own.writes:
                _discard_unused(run)
            raise
    if own.writes:
        _say_end(result, run)
    if result.status == "stopped":
        raise typer.Exit(STOPPED)


def _written(config: RunConfig, target: Run | None, folder: Path | None, here: Settings) -> Run:
    """Write the configuration of a new run, or what changes of one that goes on."""
    if target is None:
        return Run.create(config, path=folder, root=here.runs_root)
    return target.replace_config(config) if config != target.config else target


def _say_end(result: "Result", run: Run) -> None:
    """Say how a training ended, and what to do with it."""
    done = f"{result.step} of {result.total_steps} steps in {duration(result.seconds)}"
    if result.status == "stopped":
        typer.echo(f"Stopped and saved after {done}. Continue with:")
        typer.echo(f"  kgen train {run.config.family} --resume --run {run.path}")
        return
    typer.echo(f"Finished {done}.")
    typer.echo(f"Run:      {run.path}")
    typer.echo(f"Pictures: {run.samples}")
    typer.echo(f"More:     kgen sample {run.path}")


def _discard_unused(run: Run) -> None:
    """Remove the folder of a run that failed before it trained; nothing is in it but its name."""
    if [entry.name for entry in run.path.iterdir()] == ["config.toml"]:
        (run.path / "config.toml").unlink()
        run.path.rmdir()
