"""Starting a backend: its notes stay unheard, ours do not, and the order is the one Keras needs."""

import logging
import os
import sys
import types
import warnings

import pytest

from kgen import backend
from kgen_cli import session


@pytest.fixture
def order(monkeypatch):
    """Replace the backend and the device by fakes, and list their calls."""
    calls = []
    device = types.ModuleType("kgen.device")
    device.setup = lambda **options: calls.append(("setup", options))
    device.distribute = lambda devices: calls.append(("distribute", devices))
    monkeypatch.setitem(sys.modules, "kgen.device", device)
    monkeypatch.setattr(
        backend, "select", lambda name, **options: calls.append(("select", name, options)) or name
    )
    return calls


def test_backend_is_selected_before_the_device_is_set_up(order):
    session.start(backend_name="jax", device="cpu", deterministic=True, seed=3)
    assert order == [
        ("select", "jax", {"device": "cpu", "deterministic": True}),
        ("setup", {"device": "cpu", "precision": "float32", "deterministic": True, "seed": 3}),
        ("distribute", 1),
    ]


def test_processes_are_joined_before_anything_is_computed(order):
    session.start(
        backend_name="jax", device="cpu", devices=None, join=lambda: order.append(("join",))
    )
    assert [call[0] for call in order] == ["select", "join", "setup", "distribute"]
    assert order[-1] == ("distribute", None)


def test_notes_written_while_a_backend_is_imported_are_unheard(capfd):
    with session.hushed():
        os.write(2, b"I0000 oneDNN custom operations are on\n")
        logging.getLogger("absl").warning("note")
    os.write(2, b"later\n")
    assert capfd.readouterr() == ("", "later\n")


def test_stderr_comes_back_after_an_error(capfd):
    def fail():
        with session.hushed():
            raise ImportError("libfoo")

    with pytest.raises(ImportError, match="libfoo"):
        fail()
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def test_debug_lets_everything_be_heard(order, capfd, monkeypatch):
    monkeypatch.setitem(
        sys.modules,
        "kgen.device",
        types.SimpleNamespace(
            setup=lambda **options: os.write(2, b"note\n"), distribute=lambda devices: None
        ),
    )
    session.start(backend_name=None, device="auto", debug=True)
    assert capfd.readouterr().err == "note\n"


def test_kgen_s_own_warning_is_one_line_and_others_are_silent(capfd):
    with warnings.catch_warnings():
        with session.hushed():
            pass
        warnings.warn_explicit("Two\nlines.", UserWarning, "losses.py", 1, module="kgen.losses")
        warnings.warn_explicit("Theirs.", UserWarning, "other.py", 1, module="other")
    assert capfd.readouterr().err == "Warning: Two lines.\n"
