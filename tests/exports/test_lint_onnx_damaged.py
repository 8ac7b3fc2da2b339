"""`lint` on what is not an ONNX file, or no longer a sound one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgen.errors import KgenError
from kgen_exports import graph
from kgen_exports.lint import lint, onnx_graph, onnx_types
from tests.exports.onnx_files import convolution, loop


def test_a_file_that_is_not_onnx_is_one_line(tmp_path):
    whole = convolution().SerializeToString()
    foreign = {"empty": b"", "text": b"hello, world", "cut": whole[: len(whole) // 2],
               "tflite": b"\x1c\x00\x00\x00TFL3" + bytes(100)}  # fmt: skip
    for name, data in foreign.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        with pytest.raises(KgenError, match=r"is not a whole ONNX file") as raised:
            lint(path)
        assert str(path) in str(raised.value)


WHOLE = loop().SerializeToString()
damage = st.lists(
    st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8
)


def checked(data, path):
    """Read bytes and apply every rule that runs in this process."""
    read = graph.parse_onnx(data, path)
    facts = onnx_types.Facts(read, {})
    return [*onnx_graph.check(facts), *onnx_types.check(facts), graph.external_tensors(read)]


@given(changes=damage, end=st.integers(1, len(WHOLE)))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, changes, end):
    data = bytearray(WHOLE)
    for place, byte in changes:
        data[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    try:
        checked(bytes(data[:end]), path)
    except KgenError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_damaged_files_survive_the_libraries(tmp_path):
    # Each takes half a second in the process of the libraries: a sample of what hypothesis does.
    random = np.random.default_rng(3)
    outcomes = set()
    for _ in range(8):
        data = bytearray(WHOLE)
        for place in random.integers(0, len(WHOLE), 2):
            data[place] ^= 1 << int(random.integers(0, 8))
        (tmp_path / "m.onnx").write_bytes(data)
        try:
            outcomes.add(lint(tmp_path / "m.onnx").ok)
        except KgenError:
            outcomes.add("refused")
    assert outcomes >= {False, "refused"}
