"""What a path means, and whether something can be written there."""

import os
import re
from pathlib import Path

import pytest

from data_pipeline import paths


def test_the_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.expand("~/a/b") == tmp_path / "a/b"
    assert paths.expand(Path("~")) == tmp_path
    assert paths.expand("a/~/b") == Path("a/~/b")
    assert paths.expand("~root") == Path(os.path.expanduser("~root"))


def test_a_user_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there is no home folder ~nobody_here; write ./~nobody"):
        paths.expand("~nobody_here/x")
    (tmp_path / "~nobody_here").mkdir()
    assert paths.expand("~nobody_here/x") == Path("~nobody_here/x")


def test_a_file_that_can_be_written_is_left_alone(tmp_path):
    there = tmp_path / "a.json"
    there.write_text("before", encoding="utf-8")
    paths.check_file(there)
    paths.check_file(tmp_path / "b.json")
    paths.check_folder(tmp_path / "new" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert there.read_text(encoding="utf-8") == "before"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "is a folder; name a file in it"),
        ("no/such/a.json", "there is no folder"),
        ("file/a.json", "there is no folder"),
        ("pipe", "is no regular file"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=said):
        paths.check_file(tmp_path / name)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("file", "file/a/b", "nowhere"):
        blocking = tmp_path / name.split("/")[0]
        with pytest.raises(ValueError, match=re.escape(f"{blocking} is a file")):
            paths.check_folder(tmp_path / name)
    for path in ("/proc/leo_tf", "/proc/a/b"):
        with pytest.raises(ValueError, match="cannot write in /proc"):
            paths.check_folder(path)
