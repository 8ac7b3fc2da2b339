"""Progress: whole lines in a file, a live view on a terminal, numbers in words."""

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from kgen.report import Plan
from kgen_cli.progress import LiveReporter, PlainReporter, counting, phases, reporter
from kgen_cli.text import duration, metric_text, plan_lines, size

PLAN = Plan(
    data="embedded", licence="MIT", image_shape=(28, 28, 1), train_images=1800,
    validation_images=200, skipped=(), steps_per_epoch=28, total_steps=280,
    parameters={"denoiser": 1_220_000}, memory_bytes=1_500_000_000,
    resident_bytes=800_000_000, ema_decay=0.99, device="jax on cpu, float32",
)  # fmt: skip


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def plain():
    output, clock = io.StringIO(), Clock()
    return PlainReporter(output, clock), output, clock


def test_file_gets_plain_lines_and_a_terminal_a_live_view():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert isinstance(reporter(io.StringIO()), PlainReporter)
    assert isinstance(reporter(Terminal()), LiveReporter)


def test_skipped_files_are_counted_and_named_all_of_them_where_asked_for():
    plan = dataclasses.replace(PLAN, skipped=tuple(f"{i}.png (why)" for i in range(7)))
    few, every = plan_lines(plan)[-1], plan_lines(plan, every_file=True)[-1]
    assert few.startswith("skipped:    7 files that cannot be read: 0.png (why), 1.png (why), ")
    assert few.endswith("4.png (why), ... (--dry-run names all)")
    assert every.endswith("5.png (why), 6.png (why)")


def test_plain_report_of_an_epoch_is_one_line(plain):
    report, output, _ = plain
    report.started(PLAN, 0)
    output.truncate(0)
    output.seek(0)
    report.epoch_ended({"epoch": 2, "step": 56, "loss": 0.123456, "val_loss": 0.2, "val_mse": 0.1,
                        "images_per_second": 213.4, "seconds": 9.0})  # fmt: skip
    assert output.getvalue() == (
        "epoch 2/10  step 56/280  loss 0.1235  val_loss 0.2  213 images/s\n"
    )


def test_plain_report_speaks_up_in_a_long_epoch_but_not_at_every_step(plain):
    report, output, clock = plain
    report.started(PLAN, 0)
    begun = output.tell()
    for step in range(1, 28):
        clock.now += 1.0
        report.stepped(step, 1, {"loss": 0.5}, 64.0)
    lines = output.getvalue()[begun:].splitlines()
    assert len(lines) == 2
    # 10 steps in 9 s since the first, which compiles and does not count: 270 steps in 4:30 min.
    assert lines[0] == "epoch 1/10  step 10/280  loss 0.5  64 images/s  4:30 min left"


def test_plain_report_tells_where_it_resumes_and_what_it_wrote(plain):
    report, output, _ = plain
    report.started(PLAN, 28)
    report.wrote(Path("runs/a/samples/epoch-0001.png"))
    report.message("checkpoint-9 is damaged. Using the one before.")
    lines = output.getvalue().splitlines()
    assert lines[:5] == plan_lines(PLAN)
    assert lines[5:] == [
        "resuming: step 28 of 280",
        "wrote runs/a/samples/epoch-0001.png",
        "checkpoint-9 is damaged. Using the one before.",
    ]


def test_plain_report_of_reading_is_rare(plain):
    report, output, clock = plain
    for done in range(100):
        clock.now += 0.25
        report.data_progress(done, 100)
    assert output.getvalue().splitlines() == [
        "reading pictures: 39 of 100", "reading pictures: 79 of 100",
    ]  # fmt: skip


def live(width):
    output = io.StringIO()
    return LiveReporter(Console(file=output, force_terminal=True, width=width)), output


@pytest.mark.parametrize("width", [80, 120])
def test_live_report_shows_epoch_step_losses_speed_and_the_last_picture(width):
    report, output = live(width)
    with report:
        report.data_progress(1, 9)
        report.started(PLAN, 0)
        report.stepped(30, 2, {"loss": 0.123456}, 213.4)
        report.wrote(Path("runs/a/samples/epoch-0001.png"))
        report.message("Something [odd].")
        report.epoch_ended({"epoch": 2, "step": 56, "loss": 0.25, "seconds": 9.0})
    shown = output.getvalue()
    for text in ("epoch 2/10", "56/280", "loss 0.25", "images/s", "epoch-0001.png",
                 "Something [odd].", "embedded (MIT)"):  # fmt: skip
        assert text in shown


def test_live_report_leaves_the_terminal_clean_after_an_error():
    report, output = live(80)

    def fail():
        with report:
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert output.getvalue().endswith("\x1b[2K")  # the last line drawn is erased


def test_counting_is_silent_where_stderr_is_not_a_terminal(capsys):
    with counting("drawing") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1:00 min"), (125, "2:05 min"), (3_725, "1:02:05 h")],
)
def test_duration_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (412_345_678, "412 MB"), (3e12, "3 TB")],
)
def test_size_in_words(count, words):
    assert size(count) == words


def test_metrics_have_four_digits():
    assert metric_text({"loss": 1234.5678, "kl": 1e-7, "nan": float("nan")}) == (
        "loss 1235  kl 1e-07  nan nan"
    )


def test_phases_are_a_line_each_where_stderr_is_not_a_terminal(capsys):
    with phases() as progress:
        for what, done in (("drawing", 1), ("drawing", 2), ("comparing", 1)):
            progress(what, done, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "drawing\ncomparing\n")


def test_phases_are_a_bar_on_a_terminal_that_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with phases() as progress:
        progress("drawing", 1, 2)
        progress("comparing", 2, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "comparing" in captured.err
