"""Reading values that nobody vouches for: each function returns a value of one type, or refuses.

`where` is the place of the value in its file, as a person would look for it, such as
`parts.decoder.files[0].bytes`. Needs the standard library only.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from kgen.errors import KgenError

Value = TypeVar("Value")

MAX_TEXT = 4096
"""Longest text that is read; real ones are a line."""
MAX_ITEMS = 2**20
"""Most items of a list that is read."""
MAX_DEPTH = 16
"""Deepest nesting of values that are free in their form."""


def refuse(where: str, expected: str, value: Any) -> KgenError:
    """Make the error for a value that is not what is expected there."""
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    return KgenError(f"{where} is {expected}. Received: {shown}.")


def optional(read: Callable[[Any, str], Value]) -> Callable[[Any, str], Value | None]:
    """Make a reader that takes null as well."""
    return lambda value, where: None if value is None else read(value, where)


def mapping(value: Any, where: str, names: Collection[str] | None = None) -> dict[str, Any]:
    """Read an object; with `names`, one that has these fields and no others."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refuse(where, "an object", value)
    if names is not None and set(value) != set(names):
        missing, odd = sorted(set(names) - set(value)), sorted(set(value) - set(names))
        told = [*([f"lacks {', '.join(missing)}"] if missing else []),
                *([f"has {', '.join(repr(n[:40]) for n in odd[:5])}, which is not known"]
                  if odd else [])]  # fmt: skip
        raise KgenError(f"{where} {' and '.join(told)}.")
    return dict(value)


def items(value: Any, where: str, read: Callable[[Any, str], Value]) -> tuple[Value, ...]:
    """Read a list, each item by `read`."""
    if not isinstance(value, list | tuple):
        raise refuse(where, "a list", value)
    if len(value) > MAX_ITEMS:
        raise KgenError(f"{where} has at most {MAX_ITEMS} items. Received: {len(value)}.")
    return tuple(read(item, f"{where}[{i}]") for i, item in enumerate(value))


def integer(low: int, high: int) -> Callable[[Any, str], int]:
    """Make a reader of integers from `low` to `high`."""

    def read(value: Any, where: str) -> int:
        # True is an int in Python, and is not a number in JSON.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refuse(where, f"an integer from {low} to {high}", value)
        return value

    return read


def number(value: Any, where: str) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(where, "a number", value)
    try:
        result = float(value)
    except OverflowError:  # an int beyond float64
        result = math.inf
    if not math.isfinite(result):
        raise refuse(where, "a finite number", value)
    return result


def pair(value: Any, where: str) -> tuple[float, float]:
    """Read a range: two numbers, the lower one first."""
    found = items(value, where, number)
    if len(found) != 2 or not found[0] < found[1]:
        raise refuse(where, "two numbers, the lower one first", value)
    return found[0], found[1]


def text(value: Any, where: str) -> str:
    """Read text that can be shown: of at most `MAX_TEXT` characters, and valid Unicode."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise refuse(where, f"text of at most {MAX_TEXT} characters", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise refuse(where, "valid Unicode", ascii(value)) from error
    return value


def matching(pattern: str, told: str) -> Callable[[Any, str], str]:
    """Make a reader of text that is `told` in words and `pattern` as a regular expression."""

    def read(value: Any, where: str) -> str:
        if re.fullmatch(pattern, text(value, where), re.ASCII) is None:
            raise refuse(where, told, value)
        return value

    return read


def choice(known: Collection[str]) -> Callable[[Any, str], str]:
    """Make a reader of one of a few words."""

    def read(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise refuse(where, f"one of {', '.join(known)}", value)
        return value

    return read


def plain(value: Any, where: str, depth: int = MAX_DEPTH) -> Any:
    """Read anything that JSON has: for what informs people, and no program relies on."""
    if depth == 0:
        raise KgenError(f"{where} is nested too deeply: at most {MAX_DEPTH} levels are read.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, where)
    if isinstance(value, int | float):
        number(value, where)
        return value
    if isinstance(value, list | tuple):
        return list(items(value, where, lambda item, place: plain(item, place, depth - 1)))
    return {
        key: plain(item, f"{where}.{key[:40]}", depth - 1)
        for key, item in mapping(value, where).items()
    }
