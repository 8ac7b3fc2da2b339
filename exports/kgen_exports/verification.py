"""Check a TFLite file's structure before the generated code follows it.

Every table, vector and text must lie within the file; there may be as many tables as FlatBuffers'
own verifier allows, and no more text than the file has bytes, so that a small file that points to
the same place a thousand times cannot take hours or fill the memory.

Source: https://flatbuffers.dev/internals (layout); TensorFlow's schema.fbs (order of the fields).
"""

import struct

IDENTIFIER = b"TFL3"

# FlatBuffers' own limit. A diffusion sampler unrolled to 5,600 operators has 40,000 tables.
MAX_TABLES = 1_000_000

# Table -> slot -> what is stored there. Slots that are not listed hold numbers or vectors of
# numbers, which the generated code reads without a loop and without a copy.
_SLOTS: dict[str, dict[int, tuple[str, str]]] = {
    "Model": {
        1: ("tables", "OperatorCode"), 2: ("tables", "SubGraph"), 3: ("text", ""),
        4: ("tables", ""), 6: ("tables", "Named"), 7: ("tables", "SignatureDef"),
        8: ("tables", "Named"), 9: ("tables", "ExternalBuffer"),
    },
    "OperatorCode": {1: ("text", "")},
    "SubGraph": {0: ("tables", "Tensor"), 3: ("tables", "Operator"), 4: ("text", "")},
    "Tensor": {3: ("text", ""), 4: ("table", ""), 6: ("table", "Sparsity"), 9: ("tables", "")},
    "Sparsity": {2: ("tables", "")},
    "Operator": {4: ("options", ""), 12: ("options", "")},
    "Named": {0: ("text", "")},
    "ExternalBuffer": {4: ("text", "")},
    "SignatureDef": {0: ("tables", "Named"), 1: ("tables", "Named"), 2: ("text", "")},
    # The only operators' options that hold text.
    "VarHandle": {0: ("text", ""), 1: ("text", "")},
    "CustomCall": {0: ("text", ""), 2: ("text", "")},
    "Composite": {0: ("text", "")},
}  # fmt: skip

# (slot of the options, number of their type) -> table. The type is in the slot before.
_OPTIONS = {(4, 111): "VarHandle", (12, 5): "CustomCall", (12, 21): "Composite"}


class Malformed(Exception):
    """What is wrong with the structure of a file, without its name."""


def verify(data: bytes) -> None:
    """Walk all of a TFLite file's structure.

    Raises:
        Malformed: not TFLite, or something in it lies outside it.
    """
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise Malformed(f"it lacks the mark {IDENTIFIER.decode()} at byte 4")
    walk = _Walk(data)
    pending = [(walk.follow(0), "Model")]
    while pending:
        pending += walk.children(*pending.pop())


class _Walk:
    """What a walk has seen so far."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._tables = 0
        self._text = 0

    def follow(self, at: int) -> int:
        """Return where the offset stored at `at` leads."""
        return at + self._number("<I", at)

    def children(self, at: int, kind: str) -> list[tuple[int, str]]:
        """Check a table and its texts; return the tables that it points to."""
        slots = self._vtable(at)
        found: list[tuple[int, str]] = []
        for slot, (what, of) in _SLOTS.get(kind, {}).items():
            if slot >= len(slots) or not slots[slot]:
                continue
            target = self.follow(at + slots[slot])
            if what == "text":
                self._count_text(target)
            elif what == "tables":
                found += [(place, of) for place in self._elements(target)]
            elif what == "options":
                number = self._data[at + slots[slot - 1]] if slots[slot - 1] else 0
                found.append((target, _OPTIONS.get((slot, number), "")))
            else:
                found.append((target, of))
        self._count_tables(len(found))
        return found

    def _vtable(self, at: int) -> tuple[int, ...]:
        """Check a table's frame; return where in it each slot lies, 0 for those left out."""
        start = at - self._number("<i", at)
        length, inline = self._number("<H", start), self._number("<H", start + 2)
        if length < 4 or length % 2 or inline < 4:
            raise Malformed(f"the table at byte {at:,} has no valid description")
        self._inside(start, length)
        self._inside(at, inline)
        slots = struct.unpack_from(f"<{length // 2 - 2}H", self._data, start + 4)
        if any(slot >= inline for slot in slots):
            raise Malformed(f"a field of the table at byte {at:,} lies outside it")
        return slots

    def _elements(self, at: int) -> list[int]:
        """Return where the elements of a vector of tables lie."""
        count = self._number("<I", at)
        self._inside(at + 4, 4 * count)
        offsets = struct.unpack_from(f"<{count}I", self._data, at + 4)
        return [at + 4 + 4 * index + offset for index, offset in enumerate(offsets)]

    def _count_tables(self, count: int) -> None:
        """Hold the number of tables to the limit."""
        self._tables += count
        if self._tables > MAX_TABLES:
            raise Malformed(f"it has more than {MAX_TABLES:,} tables")

    def _count_text(self, at: int) -> None:
        """Check a text, and that all texts together are not more than the file."""
        count = self._number("<I", at)
        self._inside(at + 4, count)
        self._text += count
        if self._text > len(self._data):
            raise Malformed("its texts are longer than the file")

    def _number(self, kind: str, at: int) -> int:
        """Read a number."""
        self._inside(at, struct.calcsize(kind))
        return struct.unpack_from(kind, self._data, at)[0]

    def _inside(self, at: int, count: int) -> None:
        """Raise unless `count` bytes at `at` are in the file."""
        if at < 0 or at + count > len(self._data):
            raise Malformed(f"it ends at byte {len(self._data):,}, before byte {at + count:,}")
