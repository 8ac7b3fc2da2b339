"""`kgen train --resume`: the run goes on as it was, longer or elsewhere, and as nothing else."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def run(make_run):
    return make_run(
        "gan-a", summary={"status": "stopped", "step": 500, "epoch": 18}, model__latent_dim=9
    )


def trained(training):
    [(_, run, resume)] = [call for call in training.calls if call[0] == "train"]
    assert resume
    return run


@pytest.mark.parametrize("where", [[], ["--run", "runs/gan-a"]])
def test_resume_goes_on_with_the_configuration_of_the_run(kgen, training, run, where):
    result = kgen("train", "gan", "--resume", *where)
    assert result.exit_code == 0, result.output
    assert trained(training) == run


def test_resume_takes_the_newest_run_of_the_family(kgen, training, run, make_run):
    os.utime(run.path / "config.toml", (1, 1))
    newest = make_run("gan-b")
    make_run("vae-c", "vae")
    kgen("train", "gan", "--resume")
    assert trained(training).path == newest.path


def test_resume_gets_longer_and_moves_and_notes_that(kgen, training, run):
    result = kgen("train", "gan", "--resume", "--epochs", "99", "--backend", "jax",
                  "--device", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    training_config = trained(training).config.training
    assert (training_config.epochs, training_config.backend) == (99, "jax")
    assert trained(training).config.model.latent_dim == 9
    assert "epochs = 99" in (run.path / "config.toml").read_text()


def test_resume_may_change_the_unit_of_its_length(kgen, training, run):
    kgen("train", "gan", "--resume", "--steps", "2000")
    config = trained(training).config.training
    assert (config.steps, config.epochs) == (2000, None)


def test_command_that_began_a_run_continues_it(kgen, training):
    Path("mine.toml").write_text("[training]\nbatch_size = 8\n")
    command = ["train", "vae", "--preset", "notes", "--config", "mine.toml", "--latent-dim", "5",
               "--run", "mine"]  # fmt: skip
    kgen(*command)
    result = kgen(*command, "--resume")
    assert result.exit_code == 0, result.output
    assert training.calls[1][1] == training.calls[3][1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--latent-dim", "8"],
         "runs/gan-a cannot go on with another model.latent_dim: it has 9, asked for 8."),
        (["--set", "model.latent_dim=8"], "runs/gan-a cannot go on with another model.latent_dim"),
        (["--batch-size", "8"], "runs/gan-a cannot go on with another training.batch_size"),
        (["--seed", "8"], "runs/gan-a cannot go on with another training.seed"),
        (["--optimizer", "sgd"], "runs/gan-a cannot go on with another optimizer.name"),
        (["--clip-norm", "1"], "runs/gan-a cannot go on with another optimizer.clip_norm"),
        (["--config", "other.toml"], "runs/gan-a cannot go on with another model.network"),
        (["--preset", "paper"], "runs/gan-a was begun with --preset quick, which cannot change."),
        (["--epochs", "17"], "runs/gan-a already has 18 epochs; training can only get longer."),
        (["--steps", "499"], "runs/gan-a already has 500 steps; training can only get longer."),
        (["--run", "runs/none"], "A run is a folder with a config.toml"),
        (["--run", "runs/vae-b"], "runs/vae-b is a run of vae. Continue it with: kgen train vae"),
    ],
)  # fmt: skip
def test_what_would_make_another_run_is_refused(fails, training, run, make_run, arguments, says):
    Path("other.toml").write_text('[model]\nnetwork = "mlp"\n')
    make_run("vae-b", "vae")
    before = (run.path / "config.toml").read_text()
    assert fails("train", "gan", "--resume", *arguments, status=1).startswith(says)
    assert training.calls == []
    assert (run.path / "config.toml").read_text() == before


def test_nothing_to_resume_says_how_to_begin(fails, training):
    said = fails("train", "ddpm", "--resume", status=1)
    assert said == "There is no ddpm run under runs/. Train one with: kgen train ddpm"


def test_finished_run_is_not_trained_again(fails, training, make_run):
    make_run("gan-a", summary={"status": "finished", "step": 1680, "epoch": 60})
    said = fails("train", "gan", "--resume", status=1)
    assert said.startswith("runs/gan-a is finished (1680 steps). Give more --epochs or --steps")


def test_finished_run_gets_longer(kgen, training, make_run):
    make_run("gan-a", summary={"status": "finished", "step": 1680, "epoch": 60})
    assert kgen("train", "gan", "--resume", "--epochs", "61").exit_code == 0
    assert trained(training).config.training.epochs == 61


def test_run_that_is_being_trained_is_left_alone(fails, training, make_run):
    make_run("gan-a", summary={"status": "running", "pid": os.getppid()})
    assert "is being trained now, by process" in fails("train", "gan", "--resume", status=1)


def test_run_whose_process_is_gone_goes_on_without_its_half_written_files(kgen, training, make_run):
    gone = 2**22 + 1
    run = make_run("gan-a", summary={"status": "running", "pid": gone})
    run.checkpoints.mkdir()
    for folder in (run.path, run.checkpoints):
        (folder / f".tmp-{gone}-abc.npz").touch()
    assert kgen("train", "gan", "--resume").exit_code == 0
    assert not list(run.path.rglob(".tmp-*"))


AUTO = ["train", "gan", "--run", "runs/gan-a", "--auto-resume", "--latent-dim", "9"]


def begun(training):
    """The runs that were trained, and whether each went on."""
    return [(call[1].path, call[2]) for call in training.calls if call[0] == "train"]


def test_run_of_a_process_on_another_machine_may_go_on(kgen, training, make_run):
    # A process of that number runs here, but that says nothing.
    summary = {"status": "running", "pid": os.getppid(), "host": "another-machine"}
    make_run("gan-a", summary=summary)
    assert kgen("train", "gan", "--resume").exit_code == 0


def test_one_command_begins_goes_on_and_is_done(kgen, training):
    training.status = "stopped"
    assert kgen(*AUTO).exit_code == 130
    assert kgen(*AUTO).exit_code == 130
    assert begun(training) == [(Path("runs/gan-a"), False), (Path("runs/gan-a"), True)]
    Path("runs/gan-a/summary.json").write_text('{"status": "finished", "step": 1680}')
    done = kgen(*AUTO)
    assert (done.exit_code, len(begun(training))) == (0, 2)
    assert done.stdout.startswith("runs/gan-a is finished (1680 steps).")


def test_auto_resume_begins_in_a_folder_that_a_start_killed_at_once_left(kgen, training):
    Path("runs/gan-a").mkdir(parents=True)
    Path(f"runs/gan-a/.tmp-{2**22 + 1}-abc.toml").touch()  # no system has a process of that number
    assert kgen(*AUTO).exit_code == 0
    assert begun(training) == [(Path("runs/gan-a"), False)]


def test_auto_resume_makes_a_finished_run_longer(kgen, training, make_run):
    make_run("gan-a", summary={"status": "finished", "step": 1680, "epoch": 60},
             model__latent_dim=9)  # fmt: skip
    assert kgen(*AUTO, "--epochs", "61").exit_code == 0
    assert begun(training) == [(Path("runs/gan-a"), True)]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--run", "mine"], 1, "A new run needs an empty folder. Received: mine,"),
        (["--run", "runs/vae-b"], 1, "runs/vae-b is a run of vae."),
        (["--run", "runs/gan-a", "--latent-dim", "8"], 1, "runs/gan-a cannot go on with another"),
        (["--run", "runs/gan-c"], 1, "runs/gan-c is being trained now"),
        ([], 2, "Invalid value for '--auto-resume': expects --run DIR"),
        (["--run", "runs/gan-a", "--resume"], 2, "Invalid value for '--auto-resume': takes the"),
    ],
)
def test_auto_resume_leaves_alone_what_is_not_its_run(
    fails, training, run, make_run, arguments, status, says
):
    Path("mine").mkdir()
    Path("mine/letter.txt").touch()
    Path("mine/.tmp-letter.txt").touch()
    make_run("vae-b", "vae")
    make_run("gan-c", summary={"status": "running", "pid": os.getppid()})
    assert fails("train", "gan", "--auto-resume", *arguments, status=status).startswith(says)
    assert not begun(training)
    assert sorted(path.name for path in Path("mine").iterdir()) == [".tmp-letter.txt", "letter.txt"]
