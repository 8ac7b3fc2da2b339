"""Files are whole or not there, and a killed process's leftovers are told from a living one's."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest

from kgen.errors import KgenError
from kgen.files import cache_folder, remove_leftovers, replacing, write_text

LIMIT = 4096


@contextmanager
def full_disk():
    """Make the system refuse this process every byte of a file beyond the first 4096.

    No longer than needed: what pytest prints may go to a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_that_does_not_fit_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "kept")
    message = r"Cannot write .*a\.txt: File too large\. Free some space"
    with full_disk(), pytest.raises(KgenError, match=message):
        write_text(tmp_path / "a.txt", "x" * (LIMIT + 1))
    assert (tmp_path / "a.txt").read_text() == "kept"
    assert names(tmp_path) == ["a.txt"]
    with full_disk():
        write_text(tmp_path / "a.txt", "x" * LIMIT)


def test_a_block_that_fails_leaves_no_temporary_file(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text(str(1 / 0))
    assert names(tmp_path) == []


def test_leftovers_of_the_dead_go_and_files_in_the_making_stay(tmp_path):
    killed = """
import os, sys
from pathlib import Path
from kgen.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", killed, str(tmp_path / "run" / "a.npz")])
    assert done.returncode == -9
    [left] = names(tmp_path / "run")
    assert left.startswith(".tmp-")
    with replacing(tmp_path / "run" / "b.npz") as temporary:
        remove_leftovers(tmp_path)
        assert names(tmp_path / "run") == [temporary.name]
        temporary.write_text("whole")
    assert names(tmp_path / "run") == ["b.npz"]


def test_a_file_gets_the_usual_permissions_of_a_new_one(tmp_path):
    write_text(tmp_path / "a.txt", "a")
    (tmp_path / "b.txt").touch()
    assert os.stat(tmp_path / "a.txt").st_mode == os.stat(tmp_path / "b.txt").st_mode


def test_the_cache_is_where_the_user_says_or_else_where_the_platform_keeps_such(monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", "/somewhere")
    assert str(cache_folder()) == "/somewhere"
    monkeypatch.delenv("KGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    monkeypatch.setattr(sys, "platform", "linux")
    assert str(cache_folder()) == "/home/me/.cache/kgen"
