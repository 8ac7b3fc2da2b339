"""Failure: one line that says what and what to do, and the right exit status."""

import sys

import pytest

from kgen.errors import KgenError
from kgen_cli import runs
from kgen_cli.application import describe


@pytest.fixture
def raising(monkeypatch):
    """Make `kgen runs` raise an exception."""

    def raise_(error):
        def list_runs(root):
            raise error

        monkeypatch.setattr(runs, "list_runs", list_runs)

    return raise_


def test_error_for_the_user_is_its_message_on_one_line(fails, raising):
    raising(KgenError("Latent takes 1 to 9.\n  Received: 10. "))
    assert fails("runs", status=1) == "Latent takes 1 to 9. Received: 10."


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "Out of memory (MemoryError). Use a smaller --batch-size"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nwhile ..."), "Out of memory (Runtime"),
        (PermissionError(13, "Permission denied", "runs/a"), "runs/a: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device (OSError)."),
        (ValueError("shapes differ:\n(3,) and (4,)"), "ValueError: shapes differ: -- this is a"),
        (AssertionError(), "AssertionError -- this is a bug in kgen or in a package it uses"),
    ],
)
def test_any_exception_is_one_line_that_names_it(fails, raising, error, says):
    raising(error)
    assert fails("runs", status=1).startswith(says)


def test_unexpected_exception_tells_how_to_get_the_traceback(fails, raising, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kgen", "runs", "--json", "a b"])
    raising(KeyError("x"))
    assert fails("runs", status=1).endswith("kgen --debug runs --json 'a b'")


def test_very_long_message_is_cut(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kgen", "runs"])  # the command is repeated whole
    assert len(describe(ValueError("x" * 10_000))) < 500


def test_debug_shows_the_traceback_and_keeps_the_status(kgen, raising):
    raising(KgenError("No."))
    result = kgen("--debug", "runs")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("Error: No.\n")


def test_interrupt_outside_training_is_quiet(kgen, raising):
    raising(KeyboardInterrupt())
    result = kgen("runs")
    assert (result.exit_code, result.output) == (130, "")
