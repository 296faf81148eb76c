"""Classes shared out by percent and seed."""

import re

import numpy as np
import pytest
from tiny import tiny_sets, write_sets

from data_pipeline import class_split
from data_pipeline.datasets import splits_there

NAMES = [f"class {i}" for i in range(50)]


def test_each_class_is_in_one_split_by_its_percent():
    found = class_split.assign(NAMES, "64/16/20", 3)
    assert {name: len(part) for name, part in found.items()} == {"train": 32, "val": 8, "test": 10}
    assert sorted(sum(found.values(), [])) == sorted(NAMES)
    assert all(part == sorted(part) for part in found.values())
    assert found == class_split.assign(NAMES[::-1], "64/16/20", 3)
    assert found["test"] != class_split.assign(NAMES, "64/16/20", 4)["test"]


def test_the_same_seed_shares_out_alike_for_ever():
    """What any later version has to draw, for runs that are to go on."""
    found = class_split.assign([*"abcdefghij"], "60/20/20", 1)
    assert found == {"train": ["d", "e", "f", "g", "h", "j"], "val": ["a", "b"], "test": ["c", "i"]}


def test_no_val_is_none_and_a_small_part_is_one_class():
    assert class_split.assign(NAMES, "90/0/10", 0)["val"] == []
    found = class_split.assign(NAMES[:4], "98/1/1", 0)
    assert {name: len(part) for name, part in found.items()} == {"train": 2, "val": 1, "test": 1}
    with pytest.raises(ValueError, match=re.escape("split 98/1/1 of 2 classes leaves none")):
        class_split.assign(NAMES[:2], "98/1/1", 0)


@pytest.mark.parametrize("text", ["64/36", "64/16/21", "100/0/0", "0/50/50", "a/b/c", "-10/60/50"])
def test_percents_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        class_split.assign(NAMES, text, 0)


def test_classes_of_all_files_are_taken_with_their_images(tmp_path):
    sets = tiny_sets()
    write_sets(tmp_path, {"train": sets["train"], "test": sets["test"]})
    assert splits_there(tmp_path, "tiny") == ("train", "test")
    pool = class_split.load_pool(tmp_path, "tiny", "center")
    assert pool.num_classes == 14
    found = class_split.take(pool, ["test3", "train1"], "val")
    assert (found.name, found.class_names) == ("tiny/center/val", ("test3", "train1"))
    np.testing.assert_array_equal(found.of_class("test3"), sets["test"].of_class("test3"))
    np.testing.assert_array_equal(found.of_class("train1"), sets["train"].of_class("train1"))


def test_a_folder_without_files_and_a_set_without_test_are_refused(tmp_path):
    write_sets(tmp_path, {"val": tiny_sets()["val"]})
    assert class_split.check_pool(tmp_path, "tiny", "center")
    with pytest.raises(FileNotFoundError, match=r"train_embeddings\.pkl: not found"):
        splits_there(tmp_path, "tiny")
    (tmp_path / "empty" / "center").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"train_embeddings\.pkl: not found"):
        class_split.check_pool(tmp_path, "empty", "center")
