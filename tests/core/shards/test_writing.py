"""The files of a shard, read by other programs' rules."""

import io
import json
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from kgen.shards import CONTENTS
from tests.core.shards.painting import fill, paint


def test_npz_is_numpys_with_a_fixed_date(tmp_path):
    fill(tmp_path)
    path = tmp_path / "pictures-00003-of-00004.npz"
    with np.load(path) as arrays:
        assert arrays.files == ["images"]
        np.testing.assert_array_equal(arrays["images"], paint(100, 900))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("shape", [(6, 5, 3), (4, 4, 1)])
def test_tar_is_a_webdataset_shard_one_png_a_sample_numbered_across_shards(shape, tmp_path):
    fill(tmp_path, lambda n, start, progress: paint(n, start, shape=shape), format="tar",
         shape=shape)  # fmt: skip
    with tarfile.open(tmp_path / "pictures-00001-of-00004.tar") as archive:
        members = archive.getmembers()
        found = [
            np.asarray(Image.open(io.BytesIO(archive.extractfile(member).read())))
            for member in members
        ]
    # A sample is what comes before the first dot, its part what comes after.
    assert [m.name.partition(".")[::2] for m in members] == [
        (f"{i:09d}", "png") for i in range(300, 600)
    ]
    assert {(m.mtime, m.uid, m.uname, m.mode) for m in members} == {(0, 0, "", 0o644)}
    np.testing.assert_array_equal(
        np.stack(found).reshape(300, *shape), paint(300, 300, shape=shape)
    )


def test_tar_is_whole_to_the_tar_of_the_system(tmp_path):
    fill(tmp_path, format="tar", number=3, shard_size=3)
    path = tmp_path / "pictures-00000-of-00001.tar"
    listed = subprocess.run(["tar", "-tf", path], capture_output=True, text=True, check=True)
    assert (listed.stdout.split(), listed.stderr) == ([f"00000000{i}.png" for i in range(3)], "")
    # The standard's end: two blocks of zeros at least, and whole records of 20 blocks.
    content = path.read_bytes()
    assert (len(content) % 10240, content[-1024:]) == (0, bytes(1024))


def test_the_folder_says_what_it_holds(tmp_path):
    fill(tmp_path, family="ddpm", sampler={"sampler": "ddim", "num_steps": 9, "eta": 0.5})
    assert json.loads((tmp_path / CONTENTS).read_text()) == {
        "version": "kgen-pictures-1", "run": "a-run", "family": "ddpm", "weights": "0" * 64,
        "seed": 7, "sampler": {"sampler": "ddim", "num_steps": 9, "eta": 0.5}, "number": 1000,
        "format": "npz", "shard_size": 300, "shape": [6, 5, 3],
    }  # fmt: skip
