"""Files of jobs between machines: the same on both sides, whole or not at all, data once."""

import hashlib

import pytest

from leo_tf.studies import node, shipping
from leo_tf.studies.node import received


def run(root, text):
    """Write a run's folder and files beside it; returns what is to be sent."""
    folder = root / "tiny/leo/seed0"
    (folder / "saved_model/assets").mkdir(parents=True)
    (folder / "result.json").write_text(text)
    (folder / "saved_model/saved_model.pb").write_bytes(b"\0\1" + text.encode())
    (root / "tiny/leo/trials.json").write_text(text)
    (root / "tiny/leo/other.json").write_text(text)
    return ["tiny/leo/seed0", "tiny/leo/trials.json", "tiny/leo/absent.json"]


def content(root):
    return {
        path.relative_to(root).as_posix(): path.is_file() and path.read_bytes()
        for path in root.rglob("*")
    }


def test_parts_arrive_as_they_were_and_replace_what_was_there(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    parts = run(there, "new")
    files = shipping.pack(there, parts)
    shipping.put_in_place(files, here, parts)
    (there / "tiny/leo/other.json").unlink()  # which was not sent
    assert content(here) == content(there)

    (here / "tiny/leo/seed0/older.json").write_text("of the run that is replaced")
    (here / "tiny/leo/mine.txt").write_text("beside it")
    shipping.put_in_place(files, here, parts)
    assert content(here) == {**content(there), "tiny/leo/mine.txt": b"beside it"}


def test_what_does_not_arrive_whole_changes_nothing(tmp_path):
    run(tmp_path, "old")
    before = content(tmp_path)
    files = {"tiny/leo/seed0/result.json": b"new", "tiny/../../out": b"out"}
    with pytest.raises(ValueError, match="leads out of"):
        shipping.put_in_place(files, tmp_path, ["tiny/leo/seed0"])
    assert content(tmp_path) == before


def test_files_that_are_too_large_are_told_and_not_sent(tmp_path, monkeypatch):
    parts = run(tmp_path, "x" * 2**20)
    monkeypatch.setattr(shipping, "LARGEST", 2**20)
    with pytest.raises(ValueError, match="more than 1 MiB.*a folder that the machines share"):
        shipping.pack(tmp_path, parts)


def test_data_are_written_once_and_again_when_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    contents = {"tiny/center/train.pkl": [b"ab", b"cd"], "tiny/center/test.pkl": [b"e"]}
    digests = {
        name: hashlib.sha256(b"".join(parts)).hexdigest() for name, parts in contents.items()
    }
    fetched = []

    def parts(of_file):
        fetched.append(of_file)
        return iter(of_file)

    assert received(digests, None, parts) is None
    folder = received(digests, contents, parts)
    assert folder.is_relative_to(tmp_path)
    found = {name: (folder / name).read_bytes() for name in contents}
    assert found == {name: b"".join(parts) for name, parts in contents.items()}
    assert len(fetched) == 2
    assert received(digests, contents, parts) == received(digests, None, parts) == folder
    assert len(fetched) == 2

    (folder / "tiny/center/test.pkl").write_bytes(b"half")
    assert received(digests, None, parts) is None
    assert received(digests, contents, parts) == folder
    assert (folder / "tiny/center/test.pkl").read_bytes() == b"e"

    other = {"tiny/center/test.pkl": hashlib.sha256(b"f").hexdigest()}
    assert received(other, None, parts) is None


def test_a_node_of_another_version_does_nothing():
    report = node.do(node.Packet("0.0.1", b"", "", {}, {}, None))
    assert report.outcome is None
    assert "not 0.0.1; install the same on all nodes" in report.unfit
