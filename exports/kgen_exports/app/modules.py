"""The imports among a site's JavaScript modules, for the page that holds them all."""

import posixpath
import re
from collections.abc import Mapping

TOKEN = "%kgen:{}%"
"""Stands for another module's address until the page has made one."""
_IMPORT = re.compile(
    r"""(\b(?:from|import)\s*\(?\s*)(["'])(\.{1,2}/[^"']+)\2""",
)
_COMMENT = ("//", "/*", "*")
"""How a line begins that is not code: types in comments name modules too."""


def linked(modules: Mapping[str, str]) -> dict[str, str]:
    """Replace relative imports by tokens, and sort: what is imported comes first.

    Args:
        modules: text by path in the site.

    Returns:
        The same modules, in an order in which each can be loaded.

    Raises:
        ValueError: an import of a module that is not there, or a circle of them.
    """
    replaced, needs = {}, {}
    for path, text in modules.items():
        found: list[str] = []
        replaced[path] = "".join(
            _link(line, path, found) for line in text.splitlines(keepends=True)
        )
        missing = [name for name in found if name not in modules]
        if missing:
            raise ValueError(f"{path} imports {missing[0]}, which is not in the site.")
        needs[path] = found
    order: list[str] = []
    for path in modules:
        _visit(path, needs, order, ())
    return {path: replaced[path] for path in order}


def _link(line: str, path: str, found: list[str]) -> str:
    """Replace the imports of a line, and note what they name."""
    if line.lstrip().startswith(_COMMENT):
        return line

    def token(match: re.Match[str]) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[3]))
        found.append(name)
        return f"{match[1]}{match[2]}{TOKEN.format(name)}{match[2]}"

    return _IMPORT.sub(token, line)


def _visit(
    path: str, needs: Mapping[str, list[str]], order: list[str], above: tuple[str, ...]
) -> None:
    """Append a module after what it imports."""
    if path in above:
        raise ValueError(f"Modules import each other in a circle: {' -> '.join((*above, path))}.")
    if path in order:
        return
    for name in needs[path]:
        _visit(name, needs, order, (*above, path))
    order.append(path)
