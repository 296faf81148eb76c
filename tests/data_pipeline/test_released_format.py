import pickle

import numpy as np
import pytest
from embedding_files import arrays, content, dump

from data_pipeline import EmbeddingSet, released_format

KEY_TYPES = {
    "unicode array": np.array,
    "bytes array": lambda keys: np.array(keys, "S"),
    "object array": lambda keys: np.array(keys, object),
    "object array of bytes": lambda keys: np.array([key.encode() for key in keys], object),
    "list": list,
    "tuple": tuple,
    "list of bytes": lambda keys: [key.encode() for key in keys],
    "list of NumPy strings": lambda keys: list(np.array(keys)),
}


def read(tmp_path, value, protocol=2):
    source = released_format.read(dump(tmp_path / "train_embeddings.pkl", value, protocol))
    return source, source.to_array()


@pytest.mark.parametrize("keys", KEY_TYPES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_sorts_by_class_whatever_the_types(tmp_path, keys, dtype):
    good = content()
    value = dict(
        good, keys=KEY_TYPES[keys](good["keys"]), embeddings=good["embeddings"].astype(dtype)
    )
    source, embeddings = read(tmp_path, value)
    assert source.class_names == ("n0", "n1")
    np.testing.assert_array_equal(source.counts, [3, 3])
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(embeddings, good["embeddings"][[0, 2, 4, 1, 3, 5]])


def test_sorts_many_images_as_numpy_does(tmp_path):
    generator = np.random.default_rng(1)
    labels = np.array([f"n{i:02d}" for i in generator.integers(0, 30, 50_000)])
    value = {
        "keys": np.array([f"a-{label}-{label}_{i}.jpg" for i, label in enumerate(labels)]),
        "embeddings": generator.normal(size=[50_000, 16]).astype(np.float32),
    }
    source, embeddings = read(tmp_path, value)
    np.testing.assert_array_equal(source.class_names, np.unique(labels))
    np.testing.assert_array_equal(source.counts, np.unique(labels, return_counts=True)[1])
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(embeddings, value["embeddings"][order])


def changed(**values):
    return {name: value for name, value in dict(content(), **values).items() if value is not None}


def embeddings_with(row, value):
    embeddings = content()["embeddings"]
    embeddings[row] = value
    return embeddings


def keys_with(row, key):
    keys = content()["keys"]
    keys[row] = key
    return keys


BAD = {
    "not a dict": ([1, 2], "holds a list, not a dict"),
    "no keys": (changed(keys=None), "has no 'keys'; it has embeddings, labels"),
    "no embeddings": (changed(embeddings=None), "has no 'embeddings'; it has keys, labels"),
    "lengths": (changed(keys=content()["keys"][:5]), "has 5 keys for 6 embeddings"),
    "none": ({"embeddings": np.ones([0, 3], "f4"), "keys": []}, "holds no embeddings"),
    "1-D": (changed(embeddings=np.ones(6, "f4")), r"must be 2-D, \[images, dim\], not \[6\]"),
    "no size": (changed(embeddings=np.ones([6, 0], "f4")), r"2-D, \[images, dim\], not \[6, 0\]"),
    "integers": (changed(embeddings=np.ones([6, 3], int)), "must be floats, not int64"),
    "lists": (changed(embeddings=[[1.0]] * 6), "must be a NumPy array, not a list"),
    "NaN": (
        changed(embeddings=embeddings_with((4, 1), np.nan)),
        r"'train-n0-n0_4\.jpg' \(image 4\) holds NaN",
    ),
    "infinite": (
        changed(embeddings=embeddings_with((3, 2), -np.inf)),
        r"'train-n1-n1_3\.jpg' \(image 3\) holds infinite values",
    ),
    "too large": (
        changed(embeddings=embeddings_with((3, 2), 1).astype("f8") * 1e200),
        r"\(image 0\) holds infinite values, or values too large",
    ),
    "zero": (changed(embeddings=embeddings_with(5, 0)), r"\(image 5\) is zero"),
    "one dash": (changed(keys=keys_with(2, "n0-n0_2.jpg")), r"key 'n0-n0_2\.jpg' .* has 1 dashes"),
    "three dashes": (changed(keys=keys_with(2, "train-n0-n0_2-b.jpg")), "has 3 dashes"),
    "mismatch": (
        changed(keys=keys_with(2, "train-n0-n1_2.jpg")),
        r"class label 'n0' does not match the image file 'n1_2\.jpg'",
    ),
    "longer label": (changed(keys=keys_with(2, "train-n0-n01_2.jpg")), "label 'n0' does not match"),
    "no string": (changed(keys=keys_with(2, 17)), "the key of image 2 is int"),
    "no text": (changed(keys=keys_with(2, b"\xff\xfe")), "is damaged .*can't decode"),
    "2-D keys": (changed(keys=np.array(content()["keys"])[:, None]), r"keys must be 1-D, not \[6"),
    "a class of one": (changed(keys=keys_with(2, "train-n2-n2_2.jpg")), r"class 'n2' has 1 image"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_content_is_named_in_one_line(tmp_path, fault):
    value, message = BAD[fault]
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, value)
    assert str(caught.value).startswith(f"{tmp_path / 'train_embeddings.pkl'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is not a pickle.*it begins with b'<!DOCTYPE html><'"),
        (b"PK\x03\x04", "is not a pickle"),
        (b"version https://git-lfs", "is not a pickle"),
        (pickle.dumps(content(), 2)[:-40], "is truncated"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path, data, message):
    path = tmp_path / "val_embeddings.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"val_embeddings\.pkl: {message}"):
        released_format.read(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no_embeddings\.pkl: no such file"):
        released_format.read(tmp_path / "no_embeddings.pkl")


def test_an_array_of_another_length_than_its_shape(tmp_path):
    path = dump(tmp_path / "a.pkl", changed(embeddings=np.ones([6, 100_000], "f4")))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"K\x06J\xa0\x86\x01\x00", b"K\x06J\xa1\x86\x01\x00"))
    with pytest.raises(ValueError, match=r"is damaged \(array \[6, 100001\].* not 2400024\)"):
        released_format.read(path).to_array()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_writes_what_the_published_code_reads(tmp_path, dtype):
    embeddings = EmbeddingSet.from_arrays(arrays())
    path = tmp_path / "made" / "val_embeddings.pkl"
    released_format.write(path, embeddings, dtype=dtype)
    with open(path, "rb") as file:
        value = pickle.load(file, encoding="latin1")
    assert value["keys"][0] == b"val-n0-n0_00000.jpg"
    assert value["keys"][5] == b"val-n1-n1_00000.jpg"
    assert value["labels"][5] == b"n1"
    assert value["embeddings"].dtype == dtype
    expected = embeddings.embeddings.astype(dtype)
    np.testing.assert_array_equal(value["embeddings"], expected)
    np.testing.assert_array_equal(released_format.read(path).to_array(), expected)
    assert path.stat().st_size < expected.nbytes + 2500
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("classes", "dtype", "message"),
    [
        ({"a-b": np.ones([2, 3])}, np.float32, "free of dashes: 'a-b'"),
        ({"a": np.ones([2, 3])}, np.int32, "stored as floats, not int32"),
        ({"a": np.full([2, 3], 1e5)}, np.float16, "row 0 holds infinite values"),
        ({"a": np.full([2, 3], 1e-9)}, np.float16, "row 0 is zero"),
    ],
)
def test_refuses_to_write_what_cannot_be_read(tmp_path, classes, dtype, message):
    path = tmp_path / "train_embeddings.pkl"
    with pytest.raises(ValueError, match=message):
        released_format.write(path, EmbeddingSet.from_arrays(classes), dtype=dtype)
    assert not list(tmp_path.iterdir())
