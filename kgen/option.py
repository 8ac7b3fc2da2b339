"""Configuration fields that know their meaning, unit and range.

One :class:`Option` beside a dataclass field is the single source of its command-line help, of its
check and of its documentation.
"""

import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Self, Union, get_args, get_origin, get_type_hints

from kgen.errors import KgenError

LARGEST = 2**31 - 1
"""Largest number that any option takes: what every backend can count to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """What a field means and which values it takes.

    Attributes:
        help: meaning and unit, one sentence.
        low: smallest value allowed, or None; of a list, for each of its numbers.
        high: largest value allowed, or None.
        above: largest value *not* allowed (an open lower bound), or None.
        choices: the only values allowed, or empty for any.
        flag: the command-line spelling where it differs from the field's name.
    """

    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    flag: str | None = None

    def range_text(self) -> str:
        """Say the allowed values in words, for help and errors; empty when all are allowed."""
        if self.choices:
            return " | ".join(self.choices)
        if self.above is not None:
            return f"above {self.above}" + (f", at most {self.high}" if self.high else "")
        if self.low is not None and self.high is not None:
            return f"{self.low} to {self.high}"
        if self.low is not None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.high is not None else ""

    def allows(self, value: Any) -> bool:
        """Tell whether a value of the right type is in the range or the choices; NaN never is."""
        return (
            (not self.choices or value in self.choices)
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a section: its name, option, type (without None), default and optionality."""

    name: str
    option: Option
    type: Any
    optional: bool
    default: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the configuration: a frozen dataclass whose fields carry an :class:`Option`.

    Values are checked on construction.

    Raises:
        KgenError: a value has the wrong type or is out of range; the message names the field,
            what it takes and what was received.
    """

    def __post_init__(self) -> None:
        """Check every field against its option and store it as its declared type."""
        for field in section_fields(type(self)):
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build the section from plain values, as read from TOML.

        Raises:
            KgenError: a key is unknown (the message suggests the nearest), or a value is wrong.
        """
        known = [field.name for field in section_fields(cls)]
        for key in values:
            if key not in known:
                raise unknown_name("option", key, known)
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain TOML-ready values; fields that are None are left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value is not None
        }


def section_fields(section: type[Section]) -> list[Field]:
    """List a section's fields in the order they are declared."""
    hints = get_type_hints(section, include_extras=True)
    result = []
    for field in fields(section):
        hint = hints[field.name]
        declared, option = get_args(hint) if get_origin(hint) is Annotated else (hint, None)
        if not isinstance(option, Option):
            raise TypeError(f"{section.__name__}.{field.name} has no Option beside its type.")
        optional = get_origin(declared) in (Union, types.UnionType)
        kind = next(a for a in get_args(declared) if a is not type(None)) if optional else declared
        default = None if field.default is MISSING else field.default
        result.append(
            Field(name=field.name, option=option, type=kind, optional=optional, default=default)
        )
    return result


def unknown_name(what: str, name: str, known: list[str]) -> KgenError:
    """Make the error for a name that is not in a list, with the nearest right one if any."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return KgenError(f"Unknown {what} {name!r}.{hint} Known: {', '.join(known)}.")


def _checked(field: Field, value: Any) -> Any:
    """Return `value` as the field's type, or raise KgenError."""
    if value is None and field.optional:
        return None
    if field.type == tuple[int, ...]:
        if not isinstance(value, list | tuple) or any(type(v) is not int for v in value):
            raise _refuse(field, value, "a list of integers")
        if not all(field.option.allows(v) for v in value):
            raise _refuse(field, value, f"integers, each {field.option.range_text()}")
        return tuple(value)
    if field.type is float and type(value) is int:
        value = float(value)
    if type(value) is not field.type:
        names = {int: "an integer", float: "a number", bool: "true or false"}
        raise _refuse(field, value, names.get(field.type, "text"))
    if not field.option.allows(value):
        raise _refuse(field, value, field.option.range_text())
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise _refuse(field, value, f"at most {LARGEST}")
    return value


def _refuse(field: Field, value: Any, expected: str) -> KgenError:
    """Make the error for a value that a field does not take."""
    return KgenError(f"{field.name} takes {expected}. Received: {field.name}={value!r}.")
