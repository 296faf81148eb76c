"""The contents that are read, whatever wraps them: a pickle, an .npz, .npy files."""

import collections
import pickle

import numpy as np
import pytest
from embedding_files import dump

from data_pipeline import released_format

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
LABELS = ["b", "a", "b", "a"]
SORTED = ROWS[[1, 3, 0, 2]]


def by_class():
    return {"b": ROWS[[0, 2]], "a": ROWS[[1, 3]]}


LABEL_TYPES = {
    "str": (LABELS, ("a", "b")),
    "bytes": ([b"b", b"a", b"b", b"a"], ("a", "b")),
    "latin-1 bytes": ([b"\xe9", b"a", b"\xe9", b"a"], ("a", "é")),
    "int": ([3, -1, 3, -1], ("-1", "3")),
    "NumPy ints": (list(np.array([3, 1, 3, 1])), ("1", "3")),
    "NumPy strings": (list(np.array(LABELS)), ("a", "b")),
    "array of ints": (np.array([3, 1, 3, 1], np.uint8), ("1", "3")),
    "column": (np.array([[3], [1], [3], [1]]), ("1", "3")),
    "whole floats": (np.array([10.0, 1, 10, 1]), ("1", "10")),
    "bool": ([True, False, True, False], ("False", "True")),
    "array of objects": (np.array(["b", 7, "b", 7], object), ("7", "b")),
    "dashes": (["t-shirt", "T_shirt", "t-shirt", "T_shirt"], ("T_shirt", "t-shirt")),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", LABEL_TYPES)
def test_embeddings_and_labels(tmp_path, kind, protocol):
    labels, names = LABEL_TYPES[kind]
    value = {"embeddings": ROWS, "labels": labels}
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value, protocol))
    assert source.class_names == names
    np.testing.assert_array_equal(source.to_array(), SORTED)


ROW_TYPES = {
    "list of arrays": list(ROWS),
    "list of lists": ROWS.tolist(),
    "tuple of lists": tuple(ROWS.tolist()),
    "list of lists of scalars": [list(row) for row in ROWS],
    "integers among floats": [[1, 2, 3], *ROWS[1:].tolist()],
    "array of objects": np.array(ROWS.tolist(), object),
    "Fortran": np.asfortranarray(ROWS),
    "big-endian": ROWS.astype(">f8"),
    "half": ROWS.astype(np.float16),
    "memory map": ROWS.view(np.memmap),
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("kind", ROW_TYPES)
def test_embeddings_of_any_kind(tmp_path, kind, protocol):
    value = {"embeddings": ROW_TYPES[kind], "labels": LABELS}
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value, protocol))
    np.testing.assert_array_equal(source.to_array(), SORTED)


CLASSES = {
    "arrays": (by_class(), ("a", "b")),
    "lists": ({name: list(rows) for name, rows in by_class().items()}, ("a", "b")),
    "bytes": ({b"b": ROWS[[0, 2]], b"a": ROWS[[1, 3]]}, ("a", "b")),
    "numbers": ({10: ROWS[[0, 2]], 1: ROWS[[1, 3]]}, ("1", "10")),
    "NumPy numbers": ({np.int64(10): ROWS[[0, 2]], np.int64(1): ROWS[[1, 3]]}, ("1", "10")),
    "defaultdict": (collections.defaultdict(list, by_class()), ("a", "b")),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", CLASSES)
def test_an_array_for_each_class(tmp_path, kind, protocol):
    value, names = CLASSES[kind]
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value, protocol))
    assert source.class_names == names
    np.testing.assert_array_equal(source.counts, [2, 2])
    np.testing.assert_array_equal(source.to_array(), SORTED)


def test_fields_read_as_bytes_or_left_out_are_known(tmp_path):
    value = {b"embeddings": ROWS, b"labels": LABELS, b"keys": None, b"about": "anything"}
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value))
    np.testing.assert_array_equal(source.to_array(), SORTED)


def test_labels_settle_a_key_that_reads_two_ways(tmp_path):
    labels = ["n_x", "n", "n_x", "n"]
    keys = [f"t-n-n_x-n_x_{i}" for i in range(4)]
    value = {"embeddings": ROWS, "keys": keys, "labels": labels}
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value))
    assert source.class_names == ("n", "n_x")
    np.testing.assert_array_equal(source.to_array(), SORTED)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("t-t-shirt-t-shirt_0", "t-shirt"),
        ("t-x-ray-x-ray_0-left.jpg", "x-ray"),
        ("some-split-cat-cat_0", "cat"),
        ("a-b-b-b_1", "b"),
        ("t-my_cat-my_cat_0", "my_cat"),
        ("--", None),
        ("t-a-b-c_0", None),
        ("cat_0", None),
    ],
)
def test_dashes_divide_a_key_where_class_and_file_agree(tmp_path, key, name):
    value = {"embeddings": ROWS, "keys": [f"{key}{i}" for i in range(4)]}
    path = dump(tmp_path / "train_embeddings.pkl", value)
    if name:
        assert released_format.read(path).class_names == (name,)
    else:
        with pytest.raises(ValueError, match=r"train_embeddings\.pkl: key '"):
            released_format.read(path)


BAD = {
    "sizes": ({"a": ROWS, "b": ROWS[:, :2]}, "class 'b' has embeddings of size 2, 'a' of 3"),
    "other arrays": ({"X": ROWS, "y": np.arange(4)}, "and 'y' must be floats, not int64"),
    "other things": ({"a": ROWS, "about": "rows"}, "'about' must be a NumPy array, not a str"),
    "splits": ({"train": by_class()}, "'train' must be a NumPy array, not a dict"),
    "names": ({0: ROWS, "0": ROWS}, "class names 0 and '0' are both '0' as text"),
    "a tuple as name": ({("a", 1): ROWS}, r"\('a', 1\) \(tuple\) is no name of a class"),
    "one image": ({"a": ROWS, "b": ROWS[:1]}, "class 'b' has 1 image"),
    "NaN": ({"a": ROWS, "b": ROWS * np.nan}, "embedding of class 'b', image 0 holds NaN"),
    "nothing": ({}, "holds no embeddings"),
    "embeddings alone": ({"embeddings": ROWS}, "has no 'keys' and no 'labels'; it has embeddings"),
    "NaN as label": ({"embeddings": ROWS, "labels": [1, 1, 2, np.nan]}, "nan .* is no name of a"),
    "a number as text": (
        {"embeddings": ROWS, "labels": [0, "0", 1, 1]},
        "labels '0' is there as a number and as a text",
    ),
    "labels as text": ({"embeddings": ROWS, "labels": "abab"}, "labels must be a list or an array"),
    "zero": ({"embeddings": ROWS * 0, "labels": LABELS}, "of image 0, label 'b', is zero"),
}


@pytest.mark.parametrize("fault", BAD)
def test_other_contents_are_named_in_one_line(tmp_path, fault):
    value, message = BAD[fault]
    path = dump(tmp_path / "train_embeddings.pkl", value)
    with pytest.raises(ValueError, match=message) as caught:
        released_format.read(path).to_array()
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_two_pickles_in_one_file_are_no_dict(tmp_path):
    path = tmp_path / "train_embeddings.pkl"
    path.write_bytes(pickle.dumps(ROWS) + pickle.dumps(LABELS))
    with pytest.raises(ValueError, match="several pickles in one file; write a single one, of a"):
        released_format.read(path)
