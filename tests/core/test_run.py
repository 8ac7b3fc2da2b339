"""A run's configuration, and its folder: made whole or not at all, and read with suspicion."""

import pytest

from kgen import presets, run_config
from kgen.errors import KgenError
from kgen.run import Run, list_runs

CONFIG = run_config.resolve("vae")


def test_a_run_whose_configuration_cannot_be_written_leaves_no_folder(tmp_path, monkeypatch):
    def full_disk(*_args, **_keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full_disk)
    with pytest.raises(KgenError, match=r"Cannot write .*config\.toml: No space left"):
        Run.create(CONFIG, path=tmp_path / "new")
    (tmp_path / "own").mkdir()
    with pytest.raises(KgenError, match="No space left"):
        Run.create(CONFIG, path=tmp_path / "own")
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.parametrize("named_by", ["option", "file"])
def test_a_preset_has_values_of_its_own_for_a_kind_of_network(tmp_path, named_by):
    """What suits a convolutional GAN does not suit a fully connected one."""
    own = presets.VARIANTS["gan", "quick", "model.network", "mlp"]
    file = tmp_path / "my.toml"
    file.write_text('[model]\nnetwork = "mlp"\nlatent_dim = 7\n', encoding="utf-8")
    config = (
        run_config.resolve("gan", file=file)
        if named_by == "file"
        else run_config.resolve("gan", overrides={"model.network": "mlp"})
    )
    assert config.optimizer.learning_rate == own["optimizer"]["learning_rate"]
    assert list(config.model.discriminator_widths) == own["model"]["discriminator_widths"]
    conv = run_config.resolve("gan")
    assert config.optimizer.learning_rate < conv.optimizer.learning_rate
    assert config.model.loss == conv.model.loss


def test_what_one_says_wins_over_a_presets_values_for_a_network(tmp_path):
    file = tmp_path / "my.toml"
    file.write_text('model.network = "mlp"\noptimizer.learning_rate = 0.5', encoding="utf-8")
    widths = {"model.generator_widths": [8]}
    config = run_config.resolve("gan", file=file, overrides=widths)
    assert config.optimizer.learning_rate == 0.5
    assert list(config.model.generator_widths) == [8]
    # An option's network wins over the file's, and with it what belongs to it.
    conv = run_config.resolve("gan", file=file, overrides={"model.network": "conv"})
    assert conv.model.generator_widths == run_config.resolve("gan").model.generator_widths
    # A preset that is made for such a network has nothing to say twice.
    assert run_config.resolve("gan", preset="notes").optimizer.learning_rate == 2e-4


@pytest.mark.parametrize("family", ["vae", "ddpm"])
def test_adam_has_a_rate_of_its_own_where_a_preset_has_muon(family):
    muon = run_config.resolve(family).optimizer
    adam = run_config.resolve(family, overrides={"optimizer.name": "adam"}).optimizer
    assert (muon.name, adam.name) == ("muon", "adam")
    assert adam.learning_rate < muon.learning_rate
    assert adam.decay == muon.decay
    chosen = {"optimizer.name": "adam", "optimizer.learning_rate": 1e-4}
    assert run_config.resolve(family, overrides=chosen).optimizer.learning_rate == 1e-4


@pytest.mark.parametrize(("key", "values"), presets.VARIANTS.items(), ids=str)
def test_a_variant_is_of_a_preset_that_is_there_and_of_an_option_with_another_value(key, values):
    family, preset, option, value = key
    section, _, name = option.partition(".")
    assert run_config.resolve(family, preset=preset).to_mapping()[section][name] != value
    found = run_config.resolve(family, preset=preset, overrides={option: value}).to_mapping()
    assert found[section][name] == value
    for changed, options in values.items():
        assert found[changed] | options == found[changed]


def test_history_is_read_as_it_was_written(tmp_path):
    run = Run.create(CONFIG, path=tmp_path / "run")
    run.write_history([{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 1e-7, "val_loss": -3.0}])
    before = run.history_file.read_bytes()
    run.write_history(run.history())
    assert run.history_file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\udcff"])
def test_a_damaged_summary_is_named_and_does_not_hide_the_run(tmp_path, text):
    run = Run.create(CONFIG, path=tmp_path / "run")
    run.summary_file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(KgenError, match=r"summary\.json (is not|takes a) JSON.*Remove the file"):
        run.summary()
    assert [found.path for found in list_runs(tmp_path)] == [run.path]


def test_a_run_without_a_summary_is_new(tmp_path):
    assert Run.create(CONFIG, path=tmp_path / "run").summary() == {"status": "new"}
