"""python -m leo_tf.embed, as a user starts it."""

import json

import pytest
from commands import assert_refused, command
from picture_files import network, write_classes, write_picture, write_splits


def test_help_lists_the_flags_without_tensorflow(quick):
    done = quick("leo_tf.embed", "--help")
    assert done.returncode == 0
    for flag in ("images", "out", "backbone", "weights", "layer", "grid", "views", "split", "seed"):
        assert f"  --{flag} " in done.stdout


def test_flags_at_fault(quick, tmp_path):
    pictures = write_splits(tmp_path / "pictures", 2)
    assert_refused(quick("leo_tf.embed"), 2, "--images and --out must be given")
    given = {"images": pictures, "out": tmp_path / "mine"}
    assert_refused(quick("leo_tf.embed", **given, views=3), 2, "views", "3")
    assert_refused(quick("leo_tf.embed", **given, split="60/60"), 2, "60/60")
    assert_refused(quick("leo_tf.embed", **given, split="64/16/20"), 2, "leave --split out")
    assert not (tmp_path / "mine").exists()


def test_folders_at_fault(quick, tmp_path):
    def refused(*said):
        done = quick("leo_tf.embed", images=tmp_path / "pictures", out=tmp_path / "mine")
        return assert_refused(done, 1, *said)

    refused("no such folder")
    (tmp_path / "pictures").mkdir()
    refused("is empty")
    write_classes(tmp_path / "pictures", ["one", "two"], 2)
    done = quick("leo_tf.embed", images=tmp_path / "pictures", out=tmp_path / "mine")
    assert_refused(done, 1, "leaves none for train")
    write_picture(tmp_path / "pictures" / "猫" / "only.png", 7)
    refused("'猫'", "1 picture")
    assert not (tmp_path / "mine").exists()


@pytest.mark.long
def test_from_pictures_to_a_run(tmp_path):
    pictures = write_splits(tmp_path / "pictures", 8)
    (pictures / "test" / "f" / "003.png").write_bytes(b"")
    network().save(tmp_path / "own.keras")
    given = {"images": pictures, "out": tmp_path / "data" / "mine"}
    done = command("leo_tf.embed", **given, backbone=tmp_path / "own.keras")
    assert done.returncode == 0, done.stderr
    assert "skipped test/f/003.png: the file is empty" in done.stderr
    folder = tmp_path / "data" / "mine" / "center"
    card = json.loads((folder / "card.json").read_text())
    assert card["classes"]["test"] == {"f": 7, "g": 8}
    last = done.stdout.splitlines()[-1]
    begin = f"Next: python -m leo_tf.run --data_path={tmp_path / 'data'} --dataset=mine"
    assert last == f"{begin} --way=2 --shot=1 --queries=6"

    again = command("leo_tf.embed", **given, backbone=tmp_path / "own.keras")
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == last
    other = command("leo_tf.embed", **given, backbone=tmp_path / "own.keras", layer="conv", grid=2)
    assert_refused(other, 1, "choose another --out")

    flags = dict(word.removeprefix("--").split("=") for word in last.split()[4:])
    flags |= {"method": "nearest_centroid", "test_episodes": 50, "run_dir": tmp_path / "run"}
    done = command("leo_tf.run", **flags)
    assert done.returncode == 0, done.stderr
