"""Starting: quick because nothing heavy is imported, and help for everything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kgen import __version__
from kgen.families import FAMILIES

ROOT = Path(__file__).parents[2]
HEAVY = ["keras", "numpy", "PIL", "matplotlib", "jax", "tensorflow", "torch"]
COMMANDS = [
    ["--version"],
    ["--help"],
    ["train", "--help"],
    *(["train", family, "--help"] for family in FAMILIES),
    ["train", "gan", "--batch-size", "0"],
    ["sample", "--help"],
    ["sample", "gan"],
    ["runs", "--help"],
    ["runs"],
    ["doctor", "--help"],
]

IMPORTED = """
import json, sys
from typer.testing import CliRunner
from kgen_cli.main import app
found = {}
for command in json.loads(sys.argv[1]):
    CliRunner().invoke(app, command)
    found[" ".join(command)] = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
print(json.dumps(found))
"""


def test_help_and_quick_answers_import_nothing_heavy(tmp_path):
    paths = ":".join(str(ROOT / folder) for folder in (".", "cli", "exports"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, json.dumps(COMMANDS), json.dumps(HEAVY)],
        capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path,
        env={"PYTHONPATH": paths, "PATH": ""},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert len(found) == len(COMMANDS)
    assert {command: names for command, names in found.items() if names} == {}


def test_version_is_the_package_s(kgen):
    result = kgen("--version")
    assert (result.exit_code, result.output) == (0, f"kgen {__version__}\n")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[-1] == "--help"], ids=" ".join)
def test_every_help_fits_eighty_columns(kgen, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    result = kgen(*command)
    assert result.exit_code == 0
    assert max(len(line) for line in result.output.splitlines()) <= 80


@pytest.mark.parametrize("command", [[], ["train"]])
def test_no_command_shows_the_help(kgen, command):
    result = kgen(*command)
    assert "Commands" in result.stdout
    assert result.stderr == ""


def test_commands_are_listed_in_the_order_of_use(kgen):
    text = kgen("--help").stdout
    places = [text.index(f"│ {name} ") for name in ("train", "sample", "runs", "doctor")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bogus"], ["--bogus", "See: kgen --help"]),
        (["trian"], ["'trian'", "See: kgen --help"]),
        (["train", "gna"], ["'gna'", "See: kgen train --help"]),
        (["train", "gan", "--bogus"], ["--bogus", "See: kgen train gan --help"]),
        (["train", "gan", "extra"], ["unexpected extra argument", "extra"]),
        (["train", "gan", "--run"], ["'--run' requires an argument"]),
        (["sample"], ["Missing argument 'RUN'. See: kgen sample --help"]),
    ],
)
def test_command_line_that_cannot_be_parsed_is_one_line_and_status_2(fails, arguments, says):
    said = fails(*arguments, status=2)
    assert [words for words in says if words not in said] == []
