"""`kgen train`: what is settled before a backend starts, in which order, and how it ends."""

import tomllib
from pathlib import Path

import pytest

from kgen import run_config
from kgen.errors import KgenError
from kgen.families import FAMILIES
from kgen_cli import session


def steps(training):
    return [call[0] for call in training.calls]


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_the_backend_then_trains_a_new_run(kgen, training, family):
    result = kgen("train", family, "--backend", "torch", "--device", "cpu", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert steps(training) == ["start", "train"]
    assert training.calls[0][1] == {
        "backend_name": "torch", "device": "cpu", "precision": "float32", "deterministic": False,
        "seed": 7, "devices": 1, "join": None, "debug": False,
    }  # fmt: skip
    _, run, resume = training.calls[1]
    assert run.path.parent == Path("runs")
    assert run.path.name.startswith(f"{family}-embedded-")
    assert not resume
    assert tomllib.loads((run.path / "config.toml").read_text())["training"]["seed"] == 7


def test_end_of_training_says_where_the_pictures_are_and_what_to_do_next(kgen, training):
    lines = kgen("train", "gan", "--run", "mine").stdout.splitlines()
    assert lines[-4:] == [
        "Finished 1680 of 1680 steps in 2:05 min.",
        "Run:      mine",
        "Pictures: mine/samples",
        "More:     kgen sample mine",
    ]


def test_stopped_training_says_how_to_go_on_and_has_its_own_status(kgen, training):
    training.status = "stopped"
    result = kgen("train", "gan", "--run", "mine")
    assert result.exit_code == 130
    assert result.stdout.endswith("  kgen train gan --resume --run mine\n")


def test_runs_root_is_where_runs_are_made(kgen, training):
    kgen("--runs-root", "elsewhere", "train", "gan")
    assert training.calls[-1][1].path.parent == Path("elsewhere")


def test_options_win_over_file_over_preset(kgen, training):
    Path("mine.toml").write_text(
        '[model]\nlatent_dim = 7\nnetwork = "mlp"\n[training]\nsteps = 50\n'
    )
    options = ["--preset", "paper", "--config", "mine.toml", "--latent-dim", "9"]
    result = kgen("train", "gan", *options, "--set", "training.batch_size=8")
    assert result.exit_code == 0, result.output
    config = training.calls[-1][1].config
    assert config.preset == "paper"
    assert (config.model.latent_dim, config.model.network) == (9, "mlp")
    assert config.model.loss == "minimax"  # the preset's
    assert (config.training.steps, config.training.epochs) == (50, None)
    assert config.training.batch_size == 8


def test_config_of_a_run_trains_the_same_again(kgen, training):
    kgen("train", "vae", "--preset", "notes", "--latent-dim", "3", "--run", "first")
    kgen("train", "vae", "--config", "first/config.toml", "--run", "second")
    assert training.calls[1][1].config == training.calls[3][1].config


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "none.toml"], "Cannot read none.toml: No such file or directory."),
        (["--config", "."], "Cannot read .: Is a directory."),
        (["--config", "broken.toml"], "broken.toml is not TOML:"),
        (["--config", "vae.toml"], "vae.toml configures family 'vae'."),
        (["--config", "odd.toml"], "Unknown option 'latent'."),
        (["--run", "full"], "A new run needs an empty folder. Received: full, which is not empty."),
        (["--run", "full/file"], "A new run needs an empty folder."),
        (["--run", "full/file/run"], "Cannot write full/file/run/config.toml"),
    ],
)
def test_wrong_files_are_refused_before_training(fails, training, arguments, says):
    Path("broken.toml").write_text("[model\n")
    Path("vae.toml").write_text('family = "vae"\n')
    Path("odd.toml").write_text("[model]\nlatent = 3\n")
    Path("full").mkdir()
    Path("full/file").write_text("kept")
    assert fails("train", "gan", *arguments, status=1).startswith(says)
    assert "train" not in steps(training)
    assert Path("full/file").read_text() == "kept"


def test_backend_that_is_missing_leaves_no_run_behind(fails, training, monkeypatch):
    def start(**options):
        raise KgenError("backend='jax' is not installed.")

    monkeypatch.setattr(session, "start", start)
    assert fails("train", "gan", "--backend", "jax", status=1) == "backend='jax' is not installed."
    assert not Path("runs").exists()


def test_run_that_fails_before_it_trains_leaves_no_folder(fails, training):
    training.error = KgenError("There are no pictures in here.")
    fails("train", "gan", "--run", "mine", status=1)
    assert not Path("mine").exists()


def test_run_that_fails_while_it_trains_keeps_its_folder(fails, training):
    training.error = KgenError("The loss stopped being finite at step 9.")
    train = training.train

    def train_a_little(run, **options):
        run.summary_file.write_text("{}")
        return train(run, **options)

    training.train = train_a_little
    fails("train", "gan", "--run", "mine", status=1)
    assert sorted(p.name for p in Path("mine").iterdir()) == ["config.toml", "summary.json"]


def test_dry_run_prints_the_configuration_and_the_plan_and_makes_nothing(kgen, training):
    result = kgen("train", "gan", "--latent-dim", "9", "--dry-run", "--run", "mine")
    assert result.exit_code == 0, result.output
    assert steps(training) == ["start", "prepare"]
    assert not Path("mine").exists()
    assert not Path("runs").exists()
    for text in (
        "# data:       embedded (MIT), 1,800 pictures to train on, 200 held out, 28 x 28 x 1",
        "# parameters: 1,234,567 (generator 1,000,000, discriminator 234,567)",
        "# memory:     about 412 MB",
        "# steps:      28 per epoch, 1,680 in all, 60 epochs",
        "# computes:   tensorflow on cpu, float32",
        "# skipped:    1 file that cannot be read: a.png: no picture",
    ):
        assert text in result.stdout


def test_dry_run_s_output_is_a_configuration_file(kgen, training):
    output = kgen("train", "gan", "--latent-dim", "9", "--dry-run").stdout
    expected = run_config.resolve("gan", overrides={"model.latent_dim": 9})
    assert run_config.RunConfig.from_mapping(tomllib.loads(output)) == expected
