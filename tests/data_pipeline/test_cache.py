import json
import os
import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from embedding_files import arrays, content, dataset, dump

from data_pipeline import EmbeddingSet, cache, load_split, released_format

LOAD = "import sys; from data_pipeline import load_split; print(load_split(sys.argv[1], 'mine'))"


@pytest.fixture(autouse=True)
def user_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))
    return tmp_path / "user_cache"


def start(data_path, **options):
    return subprocess.Popen([sys.executable, "-c", LOAD, data_path], text=True, **options)


def entries(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def forbid_reading(monkeypatch):
    def read(path):
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(released_format, "read", read)


def test_the_second_time_comes_from_the_cache(tmp_path, monkeypatch):
    expected = dataset(tmp_path)["val"]
    first = load_split(tmp_path, "mine", split="val")
    forbid_reading(monkeypatch)
    second = load_split(tmp_path, "mine", split="val")
    for found in (first, second):
        assert found.name == "mine/center/val"
        assert found.class_names == expected.class_names
        np.testing.assert_array_equal(found.counts, expected.counts)
        np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    [entry] = entries(tmp_path / "mine" / "center" / cache.FOLDER)
    array = np.load(tmp_path / "mine" / "center" / cache.FOLDER / entry / "embeddings.npy")
    np.testing.assert_array_equal(array, expected.embeddings)


def test_writing_to_the_array_changes_no_file(tmp_path):
    expected = dataset(tmp_path)["train"].embeddings
    load_split(tmp_path, "mine").embeddings[:] = 0
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)


def test_a_changed_pickle_is_read_again(tmp_path):
    dataset(tmp_path)
    old = load_split(tmp_path, "mine")
    path = tmp_path / "mine" / "center" / "train_embeddings.pkl"
    new = EmbeddingSet.from_arrays(arrays(seed=9, prefix="train"))
    released_format.write(path, new)  # as long as the old one
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, new.embeddings)
    assert len(entries(path.parent / cache.FOLDER)) == 1
    assert not np.array_equal(old.embeddings, new.embeddings)  # still mapped, though unlinked


def kept_time(path, change):
    """Change a file, and give it back its time of writing; it must keep its size."""
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def overwrite(path):
    """Make 2.0 of a 1.0 in the middle of a file, in place."""
    place = path.read_bytes().index(np.float32(1.0).tobytes() * 7) + 12
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(np.float32(2.0).tobytes())


@pytest.mark.parametrize("replaced", [True, False])
def test_a_pickle_changed_behind_its_size_and_time_is_read_again(tmp_path, replaced):
    value = arrays(prefix="train", images=3000)  # most of the file is not among the samples
    value["train2"][40] = 1.0
    path, other = tmp_path / "mine" / "center" / "train_embeddings.pkl", tmp_path / "other"
    released_format.write(path, EmbeddingSet.from_arrays(value))
    old = load_split(tmp_path, "mine").content.digest
    value["train2"][40, 3] = 2.0
    if replaced:
        released_format.write(other, EmbeddingSet.from_arrays(value), "train")
        kept_time(path, lambda path: os.replace(other, path))
    else:
        kept_time(path, overwrite)
    found, expected = load_split(tmp_path, "mine"), EmbeddingSet.from_arrays(value)
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    assert found.content.digest == expected.content.digest != old


def test_data_that_were_copied_are_the_same_data(tmp_path):
    dataset(tmp_path / "a")
    old = load_split(tmp_path / "a", "mine")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    new = load_split(tmp_path / "b", "mine")
    assert new.content.digest == old.content.digest
    assert len(entries(tmp_path / "b" / "mine" / "center" / cache.FOLDER)) == 1


def test_another_entry_under_the_name_of_this_one_is_not_taken_for_it(tmp_path):
    """A rename leaves all that the system knows of the files within as it was."""
    expected = dataset(tmp_path)
    sets = {split: load_split(tmp_path, "mine", split=split) for split in ("train", "val")}
    folder = tmp_path / "mine" / "center" / cache.FOLDER
    train, val = (next(folder.glob(f"{split}_embeddings.*/")) for split in sets)
    shutil.rmtree(val)
    train.rename(val)
    found = load_split(tmp_path, "mine", split="val")
    assert found.class_names == expected["val"].class_names
    np.testing.assert_array_equal(found.embeddings, expected["val"].embeddings)


def test_an_entry_changed_in_place_is_made_anew(tmp_path):
    expected = dataset(tmp_path)["train"].embeddings
    load_split(tmp_path, "mine")
    folder = tmp_path / "mine" / "center" / cache.FOLDER
    array = folder / entries(folder)[0] / "embeddings.npy"
    kept_time(array, lambda path: np.save(path, np.ones_like(expected)))
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)


@pytest.mark.parametrize("damage", [os.unlink, lambda path: np.save(path, np.zeros(26, "u8"))])
def test_hashes_that_are_gone_or_wrong_are_made_anew(tmp_path, damage):
    expected = dataset(tmp_path)["train"].content.hashes()
    load_split(tmp_path, "mine")
    found = load_split(tmp_path, "mine")
    folder = tmp_path / "mine" / "center" / cache.FOLDER
    damage(folder / entries(folder)[0] / "hashes.npy")
    np.testing.assert_array_equal(found.content.hashes(), expected)


def test_entries_of_an_older_version_are_removed(tmp_path):
    dataset(tmp_path)
    old = tmp_path / "mine" / "center" / cache.FOLDER / "train_embeddings.0123456789abcdef"
    old.mkdir(parents=True)
    (old / "embeddings.npy").write_bytes(b"of version 1")
    load_split(tmp_path, "mine")
    (entry,) = entries(old.parent)
    assert entry != old.name


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: os.truncate(entry / "embeddings.npy", 400),
        lambda entry: os.truncate(entry / "embeddings.npy", 0),
        lambda entry: (entry / "embeddings.npy").unlink(),
        lambda entry: np.save(entry / "embeddings.npy", np.ones([26, 7])),
        lambda entry: os.truncate(entry / "index.json", 10),
        lambda entry: (entry / "index.json").write_text("[]"),
        lambda entry: (entry / "index.json").write_text(
            json.dumps({"class_names": ["a"], "counts": [3], "dim": 7})
        ),
    ],
)
def test_a_damaged_entry_is_made_anew(tmp_path, monkeypatch, damage):
    expected = dataset(tmp_path)["train"].embeddings
    load_split(tmp_path, "mine")
    folder = tmp_path / "mine" / "center" / cache.FOLDER
    damage(folder / entries(folder)[0])
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)
    forbid_reading(monkeypatch)
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)


def test_a_folder_that_cannot_be_written_is_cached_elsewhere(tmp_path, monkeypatch, user_cache):
    expected = dataset(tmp_path)["train"].embeddings
    (tmp_path / "mine" / "center" / cache.FOLDER).write_text("in the way, whoever runs this")
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)
    assert len(list(user_cache.glob("leo_tf/*/train_embeddings.*/embeddings.npy"))) == 1
    forbid_reading(monkeypatch)
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected)


@pytest.mark.parametrize("split", ["train", "train+val"])
def test_without_any_cache_it_works_from_memory(tmp_path, user_cache, capsys, split):
    expected = dataset(tmp_path)
    (tmp_path / "mine" / "center" / cache.FOLDER).write_text("")
    user_cache.write_text("")
    found = load_split(tmp_path, "mine", split=split)
    for part in split.split("+"):
        for class_name in expected[part].class_names:
            np.testing.assert_array_equal(
                found.of_class(class_name), expected[part].of_class(class_name)
            )
    warning = capsys.readouterr().err
    assert f"mine/center/{split}: no cache can be written ({user_cache}" in warning
    assert warning.count("\n") == len(split.split("+")) + ("+" in split)


def test_a_bad_pickle_leaves_nothing(tmp_path):
    value = content()
    value["embeddings"][5] = np.nan
    path = dump(tmp_path / "mine" / "center" / "train_embeddings.pkl", value)
    with pytest.raises(ValueError, match="holds NaN"):
        load_split(tmp_path, "mine")
    assert entries(path.parent / cache.FOLDER) == []


def test_kills_leave_no_entry_or_a_whole_one(tmp_path):
    expected = dataset(tmp_path, splits=["train"], num_classes=40, images=2000, dim=128)["train"]
    folder = tmp_path / "mine" / "center" / cache.FOLDER
    generator = random.Random(0)
    cut_short = 0
    for _ in range(6):
        process = start(tmp_path, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(folder.glob("train_embeddings.partial-*")):
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.1))
        process.kill()
        process.wait()
        partial = [name for name in entries(folder) if "partial" in name]
        cut_short += len(partial)
        for name in set(entries(folder)) - set(partial):
            array = np.load(folder / name / "embeddings.npy")
            np.testing.assert_array_equal(array, expected.embeddings)
            for path in (folder / name).iterdir():
                path.unlink()
            (folder / name).rmdir()
    assert cut_short
    np.testing.assert_array_equal(load_split(tmp_path, "mine").embeddings, expected.embeddings)
    assert len(entries(folder)) == 1  # what was cut short is gone


def test_processes_at_once_all_succeed(tmp_path):
    dataset(tmp_path, splits=["train"], num_classes=20, images=2000, dim=64)
    processes = [start(tmp_path, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert outputs == {"EmbeddingSet(mine/center/train: 20 classes, 40190 images, 64-d)\n"}
    assert len(entries(tmp_path / "mine" / "center" / cache.FOLDER)) == 1


@pytest.mark.parametrize("python", [2, 3])
def test_the_first_reading_takes_little_memory(tmp_path, python):
    path = tmp_path / "mine" / "center" / "train_embeddings.pkl"
    value = arrays(num_classes=2, images=40_000, dim=256)  # 82 MB
    if python == 2:
        released_format.write(path, EmbeddingSet.from_arrays(value))
    else:
        keys = [f"a-{name}-{name}_{i}.jpg" for name in value for i in range(len(value[name]))]
        dump(path, {"keys": np.array(keys), "embeddings": np.concatenate(list(value.values()))})
    peak = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    kilobytes = [
        int(subprocess.check_output([sys.executable, "-c", code, tmp_path]).split()[-1])
        for code in ("import data_pipeline\n" + peak, LOAD + "\n" + peak)
    ]
    assert (kilobytes[1] - kilobytes[0]) * 1024 < 0.8 * path.stat().st_size


def test_maps_more_than_there_is_memory(tmp_path):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    shape = (2 * memory // 4096, 1024)
    path = tmp_path / "large.npy"
    with open(path, "wb") as file:  # sparse: it takes no room on the disk
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4096 * shape[0])
    array = cache._map(path, shape)
    assert (array.shape, array[-1].sum()) == (shape, 0)
