"""Command-line options made from configuration fields.

Help, range, choices and default of an option are those of the dataclass field, so that each is
written once. A command takes such options as one dict, `values`, that holds what the user gave.
"""

import inspect
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import wraps
from typing import Annotated, Any

import typer
from rich.markup import escape

from kgen import run_config
from kgen.errors import KgenError
from kgen.option import Field, Option, section_fields

PANELS = {
    "model": "Model",
    "optimizer": "Optimisation",
    "data": "Data",
    "training": "Training",
    "output": "Output",
}

_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", bool: "", tuple[int, ...]: "INT,INT"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigOption:
    """One configuration field as an option.

    Attributes:
        section: the section that has the field.
        field: name, type, range and help.
        default: what the option is when it is not given, the quick preset's values included.
    """

    section: str
    field: Field
    default: Any

    @property
    def key(self) -> str:
        """The name that :func:`kgen.run_config.resolve` takes."""
        return f"{self.section}.{self.field.name}"

    @property
    def flag(self) -> str:
        """The spelling on the command line."""
        return self.field.option.flag or "--" + self.field.name.replace("_", "-")

    @property
    def parameter_name(self) -> str:
        """The name of the function's parameter; a field's alone may be in two sections."""
        return f"{self.section}__{self.field.name}"

    def help(self) -> str:
        """Say meaning, range and default, with Rich's markup."""
        parts = (self.field.option.range_text(), _default_text(self.default))
        details = "; ".join(part for part in parts if part)
        return escape(self.field.option.help) + (dim(f" [{details}]") if details else "")

    def parameter(self, panel: str | None = None) -> inspect.Parameter:
        """Return the parameter that Typer makes the option of; None means that it is not given.

        Args:
            panel: heading in the help; None for the section's.
        """
        declarations, kind = [self.flag], self.field.type
        if kind is bool and self.default:
            declarations = [f"{self.flag}/--no-{self.flag.removeprefix('--')}"]
        if self.field.option.choices:
            kind = choice(self.field.name, self.field.option.choices)
        elif kind not in (int, float, bool):
            kind = str
        info = typer.Option(
            *declarations,
            help=self.help(),
            metavar="NAME" if self.field.option.choices else _METAVARS[self.field.type],
            rich_help_panel=panel or PANELS[self.section],
            show_default=False,
            # The range is checked with the whole configuration, wherever a value comes from.
            parser=number(kind) if kind in (int, float) else None,
        )
        return optional(self.parameter_name, kind, info)

    def parse(self, value: Any) -> Any:
        """Turn what Typer parsed into the field's value.

        Raises:
            typer.BadParameter: a list of integers is not one.
        """
        if isinstance(value, Enum):
            return value.value
        if self.field.type != tuple[int, ...]:
            return value
        try:
            return [int(part) for part in value.split(",")] if value.strip() else []
        except ValueError as error:
            raise typer.BadParameter(
                f"expected integers with commas between, such as 64,128. Received: {value!r}.",
                param_hint=f"'{self.flag}'",
            ) from error


def number(kind: type[int] | type[float], limits: Option | None = None) -> Callable[[str], Any]:
    """Make what reads a number on the command line; Typer's own does not say what it received.

    Args:
        kind: int or float.
        limits: the range, if it is to be checked.
    """
    expected = "an integer" if kind is int else "a number"

    def read(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError as error:
            raise typer.BadParameter(f"expected {expected}. Received: {text!r}.") from error
        if limits is not None and not limits.allows(value):
            raise typer.BadParameter(f"expected {limits.range_text()}. Received: {text}.")
        return value

    return read


def config_options(family: str) -> list[ConfigOption]:
    """List the options of a family, with the defaults of its quick preset."""
    defaults = run_config.resolve(family)
    return [
        ConfigOption(
            section=section, field=field, default=getattr(getattr(defaults, section), field.name)
        )
        for section, section_class in run_config.section_classes(family).items()
        for field in section_fields(section_class)
    ]


def with_options(
    command: Callable[..., Any], parameters: list[inspect.Parameter]
) -> Callable[..., Any]:
    """Give a command more options, where its signature has `values`.

    It gets those that were given as that dict, by the parameters' names.
    """
    own = list(inspect.signature(command).parameters.values())
    place = [p.name for p in own].index("values")
    keyword = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in (*own[:place], *parameters, *own[place + 1 :])
    ]
    added = {p.name for p in parameters}

    @wraps(command)
    def run(**arguments: Any) -> Any:
        given = {key: arguments.pop(key) for key in added}
        return command(**arguments, values={k: v for k, v in given.items() if v is not None})

    run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in keyword}
    return run


def optional(name: str, kind: Any, info: Any) -> inspect.Parameter:
    """Make a parameter whose value is None unless the user gives one."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def flag(name: str, text: str, panel: str) -> Any:
    """Make a switch that is off unless given."""
    return typer.Option(name, help=text, metavar="", rich_help_panel=panel)


def valued(
    *names: str, text: str, default: str, span: str = "", panel: str | None = None, **more: Any
) -> Any:
    """Make an option that is None unless given; `default` says what that means."""
    text += dim(f" [{span + '; ' if span else ''}default: {default}]")
    return typer.Option(*names, help=text, show_default=False, rich_help_panel=panel, **more)


def numbered(
    *names: str, limits: Option, default: str, kind: type[int] | type[float] = int, **more: Any
) -> Any:
    """Make an option that takes a number in a range."""
    return valued(
        *names,
        text=limits.help,
        default=default,
        span=limits.range_text(),
        metavar="INT" if kind is int else "FLOAT",
        parser=number(kind, limits),
        **more,
    )


def names(text: str) -> tuple[str, ...]:
    """Split names at commas, each once.

    Raises:
        KgenError: there are none.
    """
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise KgenError(f"A list takes names with commas between them. Received: {text!r}.")
    return found


def choice(name: str, values: tuple[str, ...]) -> Any:
    """Make the enumeration that Typer checks, suggests from and completes."""
    return StrEnum(name, {value: value for value in values})


def dim(text: str) -> str:
    """Return plain text as Rich's markup for something of less weight."""
    return f"[dim]{escape(text)}[/]"


def _default_text(value: Any) -> str:
    """Write a default as the command line takes it; empty where there is none to show."""
    if value is None or value == () or value is False:
        return ""
    if value is True:
        return "default: on"
    if isinstance(value, tuple):
        return "default: " + ",".join(map(str, value))
    return f"default: {value:g}" if isinstance(value, float) else f"default: {value}"


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Read `section.key=value` texts, with values as TOML writes them or as bare text.

    Raises:
        typer.BadParameter: there is no `=` in one.
    """
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(
                f"expected section.key=value, such as model.latent_dim=32. Received: {text!r}.",
                param_hint="'--set'",
            )
        values[key.strip()] = _toml_value(value.strip())
    return values


def _toml_value(text: str) -> Any:
    """Read one TOML value; what is none is text."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
