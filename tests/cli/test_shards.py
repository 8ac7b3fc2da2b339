"""`kgen sample --format`: a folder of shards, its refusals, its pace, and how it goes on."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from kgen import data
from kgen_cli.pacing import Pace, pacing

MANY = ["-n", 300, "--shard-size", 100, "--out", "many"]


class Painter:
    """Draws pictures that tell their number, and notes what it was asked."""

    family, image_shape = "ddpm", (8, 8, 1)

    def __init__(self):
        self.calls, self.stop_at = [], None

    def generate(self, n, *, seed, start, progress, **options):
        if self.stop_at is not None and start >= self.stop_at:
            raise KeyboardInterrupt
        self.calls.append((n, start, {"seed": seed, **options}))
        progress(n, n)
        return np.repeat(np.arange(start, start + n) % 256, 64).astype(np.uint8).reshape(n, 8, 8, 1)


@pytest.fixture
def painter(trained, monkeypatch):
    """Make runs whose model is a painter."""
    run, _ = trained("ddpm")
    painter = Painter()
    monkeypatch.setattr(sys.modules["kgen.models"], "load", lambda opened: painter)
    return run, painter


def numbers(folder="many"):
    """Read the numbers of the pictures in a folder of shards."""
    images = data.load(folder).images
    return images.gather(np.arange(len(images)))[:, 0, 0, 0]


@pytest.mark.parametrize("kind", ["npz", "tar"])
def test_a_folder_gets_shards_of_the_seed_and_the_sampler(kgen, painter, kind):
    run, model = painter
    result = kgen("sample", "ddpm", *MANY, "--format", kind, "--seed", 3, "--eta", 0.5)
    assert (result.exit_code, result.stdout) == (0, "many\n")
    assert sorted(path.name for path in Path("many").iterdir()) == [
        *(f"pictures-0000{i}-of-00003.{kind}" for i in range(3)), "pictures.json",
    ]  # fmt: skip
    np.testing.assert_array_equal(numbers(), np.arange(300) % 256)
    sampler = {"sampler": "dpmpp", "num_steps": 25, "eta": 0.5}
    assert model.calls[0] == (128, 0, {"seed": 3, **sampler})
    facts = json.loads(Path("many/pictures.json").read_text())
    assert (facts["run"], facts["seed"], facts["sampler"]) == (run.path.name, 3, sampler)
    assert (facts["number"], facts["shape"], facts["weights"]) == (300, [8, 8, 1], "0" * 64)


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(kgen, painter):
    _, model = painter
    model.stop_at = 256
    stopped = kgen("sample", "ddpm", *MANY, "--format", "npz")
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert stopped.stderr.splitlines()[-1] == (
        "Note: Stopped. 200 of 300 pictures are in many. The same command goes on from there."
    )
    assert len(list(Path("many").iterdir())) == 3  # two shards, pictures.json, and no half file
    model.stop_at, model.calls = None, []
    assert kgen("sample", "ddpm", *MANY, "--format", "npz").exit_code == 0
    assert [start for _, start, _ in model.calls] == [128, 256]
    np.testing.assert_array_equal(numbers(), np.arange(300) % 256)


def test_processes_share_the_shards(kgen, painter):
    for process in range(2):
        share = ["--num-processes", 2, "--process-id", process]
        assert kgen("sample", "ddpm", *MANY, "--format", "npz", *share).exit_code == 0
        assert len(list(Path("many").glob("*.npz"))) == (2, 3)[process]
    np.testing.assert_array_equal(numbers(), np.arange(300) % 256)


def test_processes_of_a_launcher_share_the_shards(kgen, painter, monkeypatch):
    for process in range(2):
        told = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(process)}
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        assert kgen("sample", "ddpm", *MANY, "--format", "npz").exit_code == 0
        assert len(list(Path("many").glob("*.npz"))) == (2, 3)[process]


def test_other_pictures_take_another_folder_or_force(kgen, fails, painter):
    _, model = painter
    kgen("sample", "ddpm", *MANY, "--format", "npz")
    said = fails("sample", "ddpm", *MANY, "--format", "npz", "--seed", 1, status=1)
    assert said.startswith("many holds other pictures than those asked for. Received: seed=1 (ther")
    model.calls = []
    again = kgen("sample", "ddpm", *MANY, "--format", "npz", "--seed", 1, "--force")
    assert again.exit_code == 0
    assert {options["seed"] for _, _, options in model.calls} == {1}
    assert len(model.calls) == 5


def test_a_folder_with_a_stranger_is_refused_even_by_force(fails, painter):
    Path("many").mkdir()
    Path("many/mine.txt").write_text("kept")
    said = fails("sample", "ddpm", *MANY, "--format", "npz", "--force", status=1)
    assert said.startswith("Shards take a folder of their own. Received: many, which holds mine.t")
    assert Path("many/mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shard-size", 9], "--shard-size goes with --format npz or tar. Received: --shard-size"),
        (["--process-id", 0], "--process-id goes with --format npz or tar. Received: --process-id"),
        (["--format", "npz"], "--format takes a folder for its shards, such as --out pictures/. R"),
        (["--format", "tar", "--out", "a.npz"], "--format takes a folder for its shards, such as"),
        (["--format", "npz", "--out", "file"], "--format takes a folder for its shards, such as"),
        (["--format", "npz", "--out", "m", "--trajectory"], "--format is for plain samples. Recei"),
        (["--format", "npz", "--out", "m", "--num-processes", 2],
         "Expected --process-id I (from 0 on, another for each process), or KGEN_PROCESS_ID, toge"),
        (["--format", "npz", "--out", "m", "--process-id", 0],
         "Expected --num-processes N (how many processes there are), or KGEN_NUM_PROCESSES,"),
        (["--format", "npz", "--out", "m", "--num-processes", 2, "--process-id", 2],
         "Expected a process from 0 to 1, since --num-processes=2; received --process-id=2."),
        (["--format", "npz", "--out", "m", "--num-processes", 2, "--process-id", 0, "--force"],
         "--force is for one process: each would remove what the others have drawn. Received: --f"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_one_line_before_anything_is_loaded(
    fails, painter, arguments, says, monkeypatch
):
    monkeypatch.setattr(sys.modules["kgen.models"], "load", lambda opened: pytest.fail("loaded"))
    Path("file").write_text("kept")
    assert fails("sample", "ddpm", *arguments, status=1).startswith(says)
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "zip"], "'zip' is not one of 'npz', 'tar'"),
        (["--shard-size", 0], "'--shard-size': expected 1 to 100000. Received: 0."),
        (["--num-processes", 0], "'--num-processes': expected at least 1. Received: 0."),
        (["--process-id", -1], "'--process-id': expected at least 0. Received: -1."),
    ],
)
def test_values_out_of_range_are_one_line_and_status_2(fails, painter, arguments, says):
    assert says in fails("sample", "ddpm", "--out", "m", *arguments, status=2)


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self):
        return self.now


def test_the_pace_counts_from_the_first_batch_drawn_here():
    clock = Clock()
    pace = Pace(clock)
    assert pace.words(4000, 10_000) == "4,000 of 10,000 pictures"  # there before
    clock.now = 60.0  # a minute of compiling
    assert pace.words(4100, 10_000) == "4,100 of 10,000 pictures"
    clock.now = 65.0  # 100 more in 5 s: 5,800 take 290 s
    assert pace.words(4200, 10_000) == "4,200 of 10,000 pictures  20/s  4:50 min left"
    clock.now = 66.0
    assert pace.words(10_000, 10_000) == "10,000 of 10,000 pictures  983/s"


def test_a_log_gets_a_line_every_ten_seconds_and_the_last(capsys):
    clock = Clock()
    with pacing(clock) as progress:
        for done in range(0, 1001, 100):
            progress(done, 1000)
            clock.now += 4.0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of")[0] for line in lines] == ["300", "600", "900", "1,000"]
    assert lines[0] == "300 of 1,000 pictures  25/s  28 s left"


def test_a_terminal_gets_a_bar_that_leaves_nothing_behind(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    with pacing() as progress:
        progress(0, 9)
    assert "0 of 9 pictures" in sys.stderr.getvalue()
