"""Bytes that a file carries for nothing: weights that nobody reads, or that are there twice."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from kgen_exports.lint.report import Finding, finding_if

Buffer = bytes | memoryview

# Less than this is nothing beside the names of the tensors.
WORTH_SAYING = 1024


def duplicates(weights: Iterable[tuple[str, object, Buffer]]) -> Iterator[Finding]:
    """Yield a finding if equal weights are stored more than once.

    Args:
        weights: name, what must be equal besides the bytes, and the bytes.
    """
    same: defaultdict[tuple[object, int, bytes], list[str]] = defaultdict(list)
    for name, kind, data in weights:
        if len(data) >= WORTH_SAYING:
            # A hash in place of the bytes, of which the file holds one copy already.
            same[kind, len(data), hashlib.sha256(data).digest()].append(name)
    extra = {key: names for key, names in same.items() if len(names) > 1}
    wasted = sum(length * (len(names) - 1) for (_, length, _), names in extra.items())
    yield from finding_if(
        [" = ".join(names) for names in extra.values()], "warning", "duplicate-weights",
        f"{wasted:,} bytes are copies of weights that are already there: share the tensor",
    )  # fmt: skip


def unused(weights: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """Yield a finding for weights that nothing reads.

    Args:
        weights: name and bytes of each.
    """
    found = list(weights)
    wasted = sum(count for _, count in found)
    yield from finding_if(
        [name for name, _ in found], "warning" if wasted >= WORTH_SAYING else "note",
        "unused-weights", f"{wasted:,} bytes are weights that no operator reads: remove them",
    )  # fmt: skip
