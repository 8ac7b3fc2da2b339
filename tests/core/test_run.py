"""The folder of a run: made whole or not at all, and read with suspicion."""

import pytest

from kgen import run_config
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
