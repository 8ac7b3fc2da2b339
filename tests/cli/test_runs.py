"""`kgen runs`: a row per run, newest first, whatever state it is in."""

import json
import os
import time
from pathlib import Path

import pytest

FINISHED = {
    "status": "finished", "family": "gan", "data": "fashion_mnist", "backend": "torch",
    "step": 1680, "total_steps": 1680, "epoch": 60, "parameters": {"generator": 10},
    "metrics": {"d_loss": 1.23456, "g_loss": 0.7, "d_real": 0.6, "val_d_loss": 9.0},
}  # fmt: skip


def age(run, seconds):
    """Make every file of a run as old as that."""
    when = time.time() - seconds
    for path in (*run.path.rglob("*"), run.path):
        os.utime(path, (when, when))


@pytest.fixture
def three(make_run):
    age(make_run("gan-old", summary=FINISHED), 3 * 86_400)
    age(make_run("vae-middle", "vae", {"status": "stopped", "step": 5, "total_steps": 9}), 7_200)
    make_run("ddpm-new", "ddpm")


def test_no_runs_says_how_to_make_one(kgen):
    result = kgen("runs")
    assert result.exit_code == 0
    assert result.stdout == "There are no runs under runs/. Train one with: kgen train gan\n"


def test_runs_are_listed_newest_first_with_what_is_known(kgen, three):
    rows = kgen("runs").stdout.splitlines()
    found = [row.split() for row in rows if row.startswith("runs/")]
    assert [row[0] for row in found] == ["runs/ddpm-new", "runs/vae-middle", "runs/gan-old"]
    assert found[0][1:4] == ["ddpm", "embedded", "new"]
    assert found[1][1:7] == ["vae", "embedded", "stopped", "5/9", "2", "h"]
    assert found[2][1:12] == ["gan", "fashion_mnist", "torch", "finished", "1680",
                              "d_loss", "1.235", "g_loss", "0.7", "3", "d"]  # fmt: skip


def test_table_stays_on_whole_lines_when_it_is_not_a_terminal(kgen, three, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert len([row for row in kgen("runs").stdout.splitlines() if "runs/" in row]) == 3


def test_json_has_everything_for_programs(kgen, three):
    rows = json.loads(kgen("runs", "--json").stdout)
    assert [row["run"] for row in rows] == ["runs/ddpm-new", "runs/vae-middle", "runs/gan-old"]
    assert rows[2] == {**rows[2], **FINISHED}
    assert rows[2]["bytes"] == sum(file.stat().st_size for file in Path("runs/gan-old").iterdir())
    assert 3 * 86_400 <= rows[2]["age_seconds"] < 3 * 86_400 + 60


def test_json_of_no_runs_is_an_empty_list(kgen):
    assert json.loads(kgen("runs", "--json").stdout) == []


def test_run_with_a_broken_summary_is_listed_as_such(kgen, three, make_run):
    run = make_run("gan-broken")
    run.summary_file.write_text('{"status": ')
    result = kgen("runs")
    assert result.exit_code == 0
    assert "broken" in next(r for r in result.stdout.splitlines() if "gan-broken" in r)


def test_other_folders_are_passed_over(kgen, three, tmp_path):
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "odd").mkdir()
    (tmp_path / "runs" / "odd" / "config.toml").write_text("family = 3")
    assert len(json.loads(kgen("runs", "--json").stdout)) == 3


def test_runs_root_may_come_from_the_environment(kgen, three, monkeypatch):
    monkeypatch.setenv("KGEN_RUNS", "elsewhere")
    assert "There are no runs under elsewhere/." in kgen("runs").stdout


def test_terminal_too_narrow_for_the_table_gets_a_paragraph_per_run(kgen, three, monkeypatch):
    monkeypatch.setattr("kgen_cli.runs._width", lambda: 60)
    lines = kgen("runs").stdout.splitlines()
    assert lines[:2] == ["runs/ddpm-new", "  ddpm, embedded, new, " + lines[1].split(", ", 3)[3]]
    assert max(map(len, lines)) <= 60
