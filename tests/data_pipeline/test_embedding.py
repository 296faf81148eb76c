"""Embedding a folder: right rows, skipped pictures, going on, equal files, bounded memory."""

import errno
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import TOP, environment
from picture_files import (
    SIZE,
    backbone,
    files_below,
    network,
    write_classes,
    write_picture,
    write_splits,
)
from PIL import Image

from data_pipeline import load_splits
from data_pipeline.images import embedding, forward, shards
from data_pipeline.images.embedding import embed_pictures
from data_pipeline.images.picture_folders import list_pictures
from data_pipeline.images.record import read_record

BICUBIC = Image.Resampling.BICUBIC


def by_hand(files, views=1):
    """Embed pictures one by one, by Pillow and Keras alone."""
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB")
        if views == 1:
            crops = [np.asarray(image.resize((SIZE, SIZE), BICUBIC))]
        else:
            scaled = round(SIZE / 0.875)
            box = [side * SIZE / scaled for side in image.size]
            crops = []
            for across, down in ((0.5, 0.5), (0, 0), (1, 0), (0, 1), (1, 1)):
                left, top = across * (image.width - box[0]), down * (image.height - box[1])
                place = (left, top, left + box[0], top + box[1])
                crops.append(np.asarray(image.resize((SIZE, SIZE), BICUBIC, box=place)))
            crops += [crop[:, ::-1] for crop in crops]
        pixels = np.stack(crops).astype(np.float32)
        rows.append(network()(pixels).numpy().astype(np.float64).mean(0))
    return np.array(rows)


def embeddings_of(out, crop="center"):
    return {each.name: each for each in load_splits(out.parent, out.name, crop)}


def run(folder, out, **options):
    made = options.pop("backbone", backbone())
    return embed_pictures(list_pictures(folder), made, out, batch=4, progress=False, **options)


@pytest.fixture
def embedded_rows(monkeypatch):
    """Numbers of the pictures that the network is asked to embed from now on."""
    asked, before = [], forward.batches

    def batches(files, fit, batch, first=0):
        for each in before(files, fit, batch, first):
            asked.extend(range(each.first, each.first + each.filled))
            yield each

    monkeypatch.setattr(forward, "batches", batches)
    return asked


def test_each_row_is_its_picture(tmp_path):
    listing = list_pictures(write_splits(tmp_path / "pictures"))
    record = run(tmp_path / "pictures", tmp_path / "data" / "mine")
    found = embeddings_of(tmp_path / "data" / "mine")
    for split in ("train", "val", "test"):
        embedded = found[f"mine/center/{split}"]
        for name, files in listing.splits[split].items():
            expected = by_hand([listing.folder / file for file in files])
            np.testing.assert_allclose(embedded.of_class(name), expected, rtol=1e-5)
    assert record.counts["val"] == {"d": 4, "e": 4}
    assert record.embedded_now == 28 and record.rate > 0
    lines = (record.folder / "files.jsonl").read_text().splitlines()
    assert [json.loads(line)[2] for line in lines] == listing.files()
    assert [path.name for path in record.folder.parent.iterdir()] == ["center"]


def test_ten_views_are_averaged(tmp_path):
    write_splits(tmp_path / "pictures", 2)
    record = run(tmp_path / "pictures", tmp_path / "data" / "mine", views=10)
    assert record.folder.name == "multiview" and record.views == 10
    found = embeddings_of(tmp_path / "data" / "mine", "multiview")["mine/multiview/test"]
    files = [tmp_path / "pictures" / "test" / "g" / f"00{i}.png" for i in range(2)]
    np.testing.assert_allclose(found.of_class("g"), by_hand(files, 10), rtol=1e-5)


def test_the_split_is_written_down(tmp_path):
    write_classes(tmp_path / "pictures", "abcde", 2)
    listing = list_pictures(tmp_path / "pictures", "40/20/40", 3)
    record = embed_pictures(listing, backbone(), tmp_path / "mine", progress=False)
    kept = json.loads((record.folder / "embedded.json").read_text())
    assert (kept["split"], kept["seed"]) == ("40/20/40", 3)
    assert {split: list(classes) for split, classes in kept["counts"].items()} == {
        split: list(classes) for split, classes in listing.splits.items()
    }
    assert read_record(record.folder)._replace(seconds=record.seconds, embedded_now=10) == record


def test_pictures_that_cannot_be_used_are_skipped_told_and_counted(tmp_path, capsys):
    folder = write_splits(tmp_path / "pictures", 5)
    expected = by_hand([folder / "train" / "b" / f"00{i}.png" for i in (0, 3, 4)])
    (folder / "train" / "b" / "001.png").write_bytes(b"")
    (folder / "train" / "b" / "002.png").write_text("text")
    (folder / "test" / "f" / "004.png").unlink()
    (folder / "test" / "f" / "004.png").symlink_to("nowhere")
    (folder / "test" / "f" / "notes.txt").write_text("text")
    (folder / "train" / "c" / "\x1b[31m\n.png").write_text("")
    record = run(folder, tmp_path / "mine")
    assert record.counts["train"] == {"a": 5, "b": 3, "c": 5}
    assert record.counts["test"] == {"f": 4, "g": 5}
    assert record.skipped == {
        "train/b/001.png": "the file is empty",
        "train/b/002.png": "no picture of a known format (JPEG, PNG, GIF, BMP, WEBP)",
        "train/c/\x1b[31m\n.png": "the file is empty",
        "test/f/004.png": "No such file or directory",
    }
    assert record.others == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told if line.startswith("skipped")] == [
        f"skipped {name}".replace("\x1b", "\\x1b").replace("\n", "\\n") for name in record.skipped
    ]
    found = embeddings_of(tmp_path / "mine")["mine/center/train"]
    np.testing.assert_allclose(found.of_class("b"), expected, rtol=1e-5)


def test_of_many_that_cannot_be_used_the_first_are_told(tmp_path, capsys):
    folder = write_splits(tmp_path / "pictures", 4)
    for i in range(33):
        (folder / "train" / "a" / f"x{i:02}.jpg").write_text(f"text {i}")
    assert len(run(folder, tmp_path / "mine").skipped) == 33
    told = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("skipped train") for line in told) == embedding.SHOWN == 20
    assert "skipped 13 more, see embedded.json" in told


def test_a_class_left_with_too_few_is_left_out_and_a_split_without_classes_refused(tmp_path):
    folder = write_splits(tmp_path / "pictures", 3)
    for i in range(2):
        (folder / "val" / "d" / f"00{i}.png").write_text(f"text {i}")
    record = run(folder, tmp_path / "mine")
    assert record.left_out == {"d": "1 of its 3 pictures can be used"}
    assert record.counts["val"] == {"e": 3}
    for i in range(2):
        (folder / "val" / "e" / f"00{i}.png").write_text(f"text {i + 5}")
    with pytest.raises(ValueError, match="no class of val .*d/000.png: no picture of a known"):
        run(folder, tmp_path / "other")


def test_embeddings_without_a_direction_are_skipped(tmp_path):
    import keras

    folder = write_splits(tmp_path / "pictures", 3)
    Image.new("RGB", (9, 9)).save(folder / "train" / "a" / "black.png")
    inputs = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    record = run(folder, tmp_path / "mine", backbone=backbone(model=model, digest="1"))
    assert record.skipped == {"train/a/black.png": "its embedding is zero or not finite"}


def test_pictures_in_two_classes_are_told(tmp_path):
    folder = write_splits(tmp_path / "pictures", 3)
    shutil.copy(folder / "train" / "a" / "001.png", folder / "test" / "g" / "copy.png")
    record = run(folder, tmp_path / "mine")
    assert record.shared == 2
    assert record.shared_example == ("train/a/001.png", "test/g/copy.png")


def test_equal_pictures_give_equal_files_stopped_or_not(tmp_path, monkeypatch, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 6)
    (folder / "train" / "b" / "003.png").write_text("text")
    run(folder, tmp_path / "whole")
    monkeypatch.setattr(shards, "PICTURES", 8)
    (work,) = stop_after(3, folder, tmp_path / "parts", monkeypatch)
    assert len(list(work.glob("shard-*.npz"))) == 2
    embedded_rows.clear()
    record = run(folder, tmp_path / "parts")
    assert embedded_rows[0] == 12 and embedded_rows[-1] == 41  # three batches of four were kept
    assert record.embedded_now == 30
    assert files_below(tmp_path / "whole") == files_below(tmp_path / "parts")


def stop_after(count, folder, out, monkeypatch):
    """Embed with Ctrl-C after some batches; returns the work folders that are left."""
    with monkeypatch.context() as patch:
        stopped = embedding.rows

        def rows(*given):
            for number, each in enumerate(stopped(*given)):
                if number == count:
                    raise KeyboardInterrupt
                yield each

        patch.setattr(embedding, "rows", rows)
        with pytest.raises(KeyboardInterrupt):
            run(folder, out)
    assert not (out / "center").exists()
    return list(out.glob(".embedding-*"))


def test_another_setup_does_not_go_on_from_what_is_kept(tmp_path, monkeypatch, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 3)
    stop_after(2, folder, tmp_path / "mine", monkeypatch)
    for change in ("digest", "picture"):
        if change == "digest":
            made = backbone(digest="4567")
        else:
            made = backbone()
            write_picture(folder / "train" / "a" / "002.png", 4711)
        embedded_rows.clear()
        run(folder, tmp_path / "mine", backbone=made)
        assert embedded_rows == list(range(21))
        shutil.rmtree(tmp_path / "mine" / "center")


def test_a_damaged_shard_is_embedded_again(tmp_path, monkeypatch, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 6)
    run(folder, tmp_path / "whole")
    monkeypatch.setattr(shards, "PICTURES", 4)
    (work,) = stop_after(4, folder, tmp_path / "parts", monkeypatch)
    second = sorted(work.glob("shard-*.npz"))[1]
    second.write_bytes(second.read_bytes()[:-100])
    embedded_rows.clear()
    run(folder, tmp_path / "parts")
    assert embedded_rows[0] == 4
    assert files_below(tmp_path / "whole") == files_below(tmp_path / "parts")


def test_what_is_finished_is_not_done_again_and_never_overwritten(tmp_path, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 3)
    record = run(folder, tmp_path / "mine")
    embedded_rows.clear()
    assert run(folder, tmp_path / "mine") == record._replace(seconds=None, embedded_now=0)
    assert embedded_rows == []
    before = files_below(tmp_path / "mine")
    with pytest.raises(ValueError, match="another --out"):
        run(folder, tmp_path / "mine", backbone=backbone(digest="4567"))
    write_picture(folder / "train" / "a" / "002.png", 4711)
    with pytest.raises(ValueError, match="another --out"):
        run(folder, tmp_path / "mine")
    assert files_below(tmp_path / "mine") == before


def test_finished_embeddings_know_where_their_pictures_are_now(tmp_path):
    folder = write_splits(tmp_path / "pictures", 3)
    run(folder, tmp_path / "mine")
    moved = folder.rename(tmp_path / "moved")
    assert run(moved, tmp_path / "mine").images == str(moved)


def test_a_full_disk_is_told_and_costs_nothing(tmp_path, monkeypatch, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 6)
    monkeypatch.setattr(shards, "PICTURES", 8)
    with monkeypatch.context() as patch:
        before = np.savez

        def savez(file, **arrays):
            if arrays["first"] > 8:
                raise OSError(errno.ENOSPC, "No space left on device")
            before(file, **arrays)

        patch.setattr(np, "savez", savez)
        with pytest.raises(OSError, match="no space left; free some and give the same command"):
            run(folder, tmp_path / "mine")
    embedded_rows.clear()
    run(folder, tmp_path / "mine")
    assert embedded_rows[0] == 16


def test_a_disk_that_is_too_small_is_found_out_first(tmp_path, monkeypatch, embedded_rows):
    folder = write_splits(tmp_path / "pictures", 6)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="42 embeddings take 0.0 MB .* 0.0 MB are free"):
        run(folder, tmp_path / "mine")
    assert embedded_rows == []


def test_names_in_any_script_come_through(tmp_path):
    names = {"train": ["кошка", "猫"], "val": ["قطة", "chat d'été"], "test": ["🐈", "=cmd()"]}
    for number, (split, classes) in enumerate(names.items()):
        write_classes(tmp_path / "рисунки" / split, classes, 2, 10_000 * number)
    run(tmp_path / "рисунки", tmp_path / "мои")
    found = embeddings_of(tmp_path / "мои")
    assert [set(each.class_names) for each in found.values()] == list(map(set, names.values()))


@pytest.mark.parametrize("views", [1, 10])
def test_a_frozen_network_computes_the_same(views):
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    hidden = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    hidden = keras.layers.BatchNormalization(
        moving_mean_initializer="random_normal", gamma_initializer="random_normal"
    )(hidden)
    hidden = keras.layers.ReLU(6.0)(hidden)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(hidden))
    made, crops = backbone(model=model), 1 if views == 1 else 5
    shape = (3, crops, SIZE, SIZE, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    kept, frozen = (forward.forward(made, views, 3, each)(pictures) for each in (False, True))
    np.testing.assert_allclose(frozen, kept, rtol=1e-5, atol=1e-5)
    expected = [pictures[:, i].astype(np.float32) for i in range(crops)]
    expected += [each[:, :, ::-1] for each in expected][: views - crops]
    expected = np.mean([model(each).numpy() for each in expected], axis=0)
    np.testing.assert_allclose(kept, expected, rtol=1e-5, atol=1e-5)


def test_embedding_files_in_memory(tmp_path):
    files = [write_picture(tmp_path / f"{i}.png", i) for i in range(5)]
    files[3].write_text("text")
    told = []
    found, faults = forward.embed_files(files, backbone(), batch=2, progress=told.append)
    assert list(faults) == [3] and sum(told) == 5
    assert not found[3].any()
    kept = [0, 1, 2, 4]
    np.testing.assert_allclose(found[kept], by_hand([files[i] for i in kept]), rtol=1e-5)
    assert forward.embed_files([], backbone())[0].shape == (0, 6)


KILLED = """
import os, sys
sys.path[:0] = ["tests"]
from pathlib import Path
from picture_files import backbone
from data_pipeline.images import embedding, shards
from data_pipeline.images.picture_folders import list_pictures
shards.PICTURES, before = 4, embedding.rows
def rows(*given):
    for number, each in enumerate(before(*given)):
        if number == int(sys.argv[3]):
            os.kill(os.getpid(), 9)
        yield each
embedding.rows = rows
embedding.embed_pictures(list_pictures(sys.argv[1]), backbone(), sys.argv[2], batch=4)
"""


@pytest.mark.long
def test_a_kill_costs_one_shard(tmp_path):
    folder = write_splits(tmp_path / "pictures", 6)
    run(folder, tmp_path / "whole")

    def start(killed_after):
        arguments = [sys.executable, "-c", KILLED, folder, tmp_path / "mine", str(killed_after)]
        return subprocess.run(
            arguments, cwd=TOP, env=environment(), capture_output=True, text=True, timeout=200
        )

    assert start(5).returncode == -9
    (work,) = (tmp_path / "mine").glob(".embedding-*")
    assert len(list(work.glob("shard-*.npz"))) == 5
    done = start(-1)
    assert done.returncode == 0, done.stderr
    assert "20 of 42 pictures are embedded already" in done.stderr
    assert files_below(tmp_path / "whole") == files_below(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["center"]


@pytest.mark.long
def test_memory_does_not_grow_with_the_pictures(tmp_path):
    """A hundred times as many pictures, by links to a few, in a process of their own."""
    for i in range(8):
        write_picture(tmp_path / "some" / f"{i}.png", i, (64, 64))
    code = (
        "import sys; sys.path[:0] = ['tests']\n"
        "import psutil\n"
        "from picture_files import backbone\n"
        "from data_pipeline.images import forward\n"
        "files = [sys.argv[1] + f'/{i % 8}.png' for i in range(int(sys.argv[2]))]\n"
        "for each in forward.rows(files, backbone()): pass\n"
        "print(psutil.Process().memory_info().rss / 1e6)\n"
    )
    used = {}
    for count in (500, 20_000):
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "some", str(count)],
            cwd=TOP,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        used[count] = float(done.stdout)
    assert used[20_000] - used[500] < 20  # MB; their decoded pixels alone are 240 MB
