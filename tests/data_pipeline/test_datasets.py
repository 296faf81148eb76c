import os
import subprocess
import sys

import numpy as np
import pytest
from embedding_files import arrays, dataset

from data_pipeline import EmbeddingSet, check_dataset, datasets, load_split, released_format


def test_finds_the_three_splits(tmp_path):
    expected = dataset(tmp_path)
    assert check_dataset(tmp_path, "mine") == tmp_path / "mine" / "center"
    for split in datasets.SPLITS:
        found = load_split(str(tmp_path), "mine", split=split)
        np.testing.assert_array_equal(found.embeddings, expected[split].embeddings)


def test_joins_train_and_val_from_a_cache(tmp_path, monkeypatch):
    parts = [arrays(num_classes=3, prefix="b"), arrays(num_classes=5, prefix="a", seed=1)]
    parts[1]["c"] = np.ones([2, 7], np.float32)
    folder = tmp_path / "mine" / "center"
    for split, part in zip(["train", "val"], parts, strict=True):
        released_format.write(folder / f"{split}_embeddings.pkl", EmbeddingSet.from_arrays(part))
    found = load_split(tmp_path, "mine", split="train+val")
    expected = EmbeddingSet.from_arrays(parts[0] | parts[1])
    assert found.name == "mine/center/train+val"
    assert found.class_names == expected.class_names
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    assert not found.embeddings.flags.owndata
    monkeypatch.setattr(datasets, "_join", None)
    again = load_split(tmp_path, "mine", split="train+val")
    np.testing.assert_array_equal(again.embeddings, expected.embeddings)
    monkeypatch.undo()
    os.utime(folder / "val_embeddings.pkl", (0, 0))
    monkeypatch.setattr(datasets, "_join", lambda parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load_split(tmp_path, "mine", split="train+val")


def test_splits_to_be_joined_must_be_different(tmp_path):
    folder = tmp_path / "mine" / "center"
    train = EmbeddingSet.from_arrays(arrays(prefix="a"))
    released_format.write(folder / "train_embeddings.pkl", train)
    released_format.write(folder / "val_embeddings.pkl", train)
    with pytest.raises(ValueError, match="class 'a0' is in both mine/center/train and mine/center"):
        load_split(tmp_path, "mine", split="train+val")
    other = EmbeddingSet.from_arrays(arrays(prefix="b", dim=8))
    released_format.write(folder / "val_embeddings.pkl", other)
    with pytest.raises(ValueError, match="val has embeddings of size 8, mine/center/train of"):
        load_split(tmp_path, "mine", split="train+val")


def test_an_unknown_data_set_says_where_it_looked_and_how_to_get_it(tmp_path):
    dataset(tmp_path, name="yours")
    with pytest.raises(FileNotFoundError) as caught:
        check_dataset(tmp_path, "mine")
    message = str(caught.value)
    assert f"no data set mine in {tmp_path} (there: yours; glyphs, icons and" in message
    assert f"own data go to {tmp_path}/mine/<crop>/ as train_embeddings.pkl" in message
    assert f"python -m data_pipeline.download --data_path={tmp_path}" in message
    with pytest.raises(FileNotFoundError, match=r"no data set mine .* \(there: no such folder;"):
        check_dataset(tmp_path / "nowhere", "mine")
    with pytest.raises(FileNotFoundError, match="get it by: python -m data_pipeline.download"):
        load_split(tmp_path, "tieredImageNet")


def test_names_the_crop_or_split_that_is_missing(tmp_path):
    dataset(tmp_path, splits=["train", "val"])
    load_split(tmp_path, "mine")
    with pytest.raises(FileNotFoundError, match=r"mine: has no crop multiview \(it has: center\)"):
        check_dataset(tmp_path, "mine", "multiview")
    with pytest.raises(FileNotFoundError, match=r"center/test_embeddings\.pkl: not found"):
        check_dataset(tmp_path, "mine")
    (tmp_path / "mine" / "center" / "test_embeddings.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"center/test_embeddings\.pkl: is empty"):
        check_dataset(tmp_path, "mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tieredImageNet", "multiview"), "tieredImageNet has no crop multiview: .* use center"),
        (("../mine",), "dataset must be the name of a folder, not '../mine'"),
        (("mine", ""), "crop must be the name of a folder, not ''"),
        (("mine", "center", "training"), "split must be train, val, test, or train.val, not 'trai"),
        (("mine", "center", "val+val"), "split must be"),
    ],
)
def test_bad_names(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_split(tmp_path, *arguments)


def test_glyphs_come_with_the_code_unless_there_are_others(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "PACKAGED", tmp_path / "packaged")
    packaged = dataset(tmp_path / "packaged" / "glyphs" / "embeddings", "glyphs")
    found = load_split(tmp_path / "nowhere", "glyphs")
    np.testing.assert_array_equal(found.embeddings, packaged["train"].embeddings)
    own = dataset(tmp_path / "own", "glyphs", dim=9)
    found = load_split(tmp_path / "own", "glyphs")
    np.testing.assert_array_equal(found.embeddings, own["train"].embeddings)


def test_loading_does_not_import_tensorflow(tmp_path):
    dataset(tmp_path)
    code = (
        "import sys; from data_pipeline import check_dataset, load_split\n"
        "check_dataset(sys.argv[1], 'mine'); load_split(sys.argv[1], 'mine')\n"
        "print('tensorflow' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code, tmp_path]).split() == [b"False"]
