import pickle
import pickletools
import time

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
    "no classes": (
        changed(keys=None, labels=None),
        "has no 'keys' and no 'labels'; it has embeddings",
    ),
    "no embeddings": (changed(embeddings=None), "has no 'embeddings'; it has keys, labels"),
    "lengths": (changed(keys=content()["keys"][:5]), "has 5 keys for 6 embeddings"),
    "none": ({"embeddings": np.ones([0, 3], "f4"), "keys": []}, "holds no embeddings"),
    "1-D": (changed(embeddings=np.ones(6, "f4")), r"must be 2-D, \[images, dim\], not \[6\]"),
    "no size": (changed(embeddings=np.ones([6, 0], "f4")), r"2-D, \[images, dim\], not \[6, 0\]"),
    "integers": (changed(embeddings=np.ones([6, 3], int)), "must be floats, not int64"),
    "lists": (changed(embeddings=[[1.0]] * 5 + [[2.0, 3.0]]), "parts of different sizes"),
    "lists of integers": (changed(embeddings=[[1]] * 6), "must be floats, not int64"),
    "text": (changed(embeddings="1 2 3"), "must be a NumPy array, not a str"),
    "complex": (changed(embeddings=np.ones([6, 3], complex)), "must be floats, not c16; convert"),
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
    "three dashes": (changed(keys=keys_with(2, "train-n0-n1_2-b.jpg")), "has 3 dashes and no cl"),
    "a great many dashes": (changed(keys=keys_with(2, "-" * 100_000)), "has 100000 dashes"),
    "no class": (changed(keys=keys_with(2, "train--_2.jpg")), "class label '' does not match"),
    "two ways": (
        changed(keys=keys_with(2, "t-n0-n0_n-n0_n_2"), labels=None),
        r"key 't-n0-n0_n-n0_n_2' \(image 2\) can be read as class 'n0' or 'n0_n'",
    ),
    "mismatch": (
        changed(keys=keys_with(2, "train-n0-n1_2.jpg")),
        r"class label 'n0' does not match the image file 'n1_2\.jpg'",
    ),
    "longer label": (changed(keys=keys_with(2, "train-n0-n01_2.jpg")), "label 'n0' does not match"),
    "no string": (changed(keys=keys_with(2, 17)), "the key of image 2 is int"),
    "no text": (changed(keys=keys_with(2, b"\xff\xfe")), "key 'ÿþ' .*has 0 dashes"),
    "2-D keys": (changed(keys=np.array(content()["keys"])[:, None]), r"keys must be 1-D, .*\[6, 1"),
    "a class of one": (
        changed(keys=keys_with(2, "train-n2-n2_2.jpg"), labels=None),
        "class 'n2' has 1 image",
    ),
    "a key twice": (
        changed(keys=[*content()["keys"][:4], *content()["keys"][:2]]),
        r"key 'train-n0-n0_0\.jpg' comes more than once \(2 repeated in all\)",
    ),
    "a label of two classes": (
        changed(labels=[0, 0, 0, 0, 0, 0]),
        r"label '0' has two classes: 'n0' \(image 0\) and 'n1' \(image 1\)",
    ),
    "a class of two labels": (
        changed(labels=[0, 1, 0, 1, 0, 5]),
        r"class 'n1' has two labels: '1' \(image 1\) and '5' \(image 5\)",
    ),
    "too few labels": (changed(labels=[0, 1]), "has 2 labels for 6 embeddings"),
    "one-hot labels": (changed(labels=np.eye(6)), r"labels must be 1-D, \[images\], not \[6, 6\]"),
    "labels of no kind": (changed(labels=[0, 1, 0, 1, 0, {}]), "a dict is no name of a class"),
    "no class at all": (changed(keys=None, labels=["a"] * 5 + [""]), "class name '' is empty"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_content_is_named_in_one_line(tmp_path, fault):
    value, message = BAD[fault]
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, value)
    assert str(caught.value).startswith(f"{tmp_path / 'train_embeddings.pkl'}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no_embeddings\.pkl: no such file"):
        released_format.read(tmp_path / "no_embeddings.pkl")


def test_an_array_of_another_length_than_its_shape(tmp_path):
    path = dump(tmp_path / "a.pkl", changed(embeddings=np.ones([6, 100_000], "f4")))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"K\x06J\xa0\x86\x01\x00", b"K\x06J\xa1\x86\x01\x00"))
    with pytest.raises(ValueError, match=r"is damaged \(array \[6, 100001\].* not 2400024\)"):
        released_format.read(path).to_array()


def published_class(key):
    """Return the class of a key as the published reader finds it, in its own two lines."""
    _, label, image = key.split("-")
    assert label == image.split("_")[0]
    return label


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_writes_what_the_published_code_reads(tmp_path, capsys, dtype):
    embeddings = EmbeddingSet.from_arrays({**arrays(), "café": np.ones([2, 7])})
    path = tmp_path / "made" / "val_embeddings.pkl"
    released_format.write(path, embeddings, dtype=dtype)
    with open(path, "rb") as file:
        value = pickle.load(file, encoding="latin1")
    assert all(type(text) is str for text in value["keys"] + value["labels"])
    assert value["keys"][0] == "val-café-café_00000.jpg"
    assert value["keys"][7] == "val-n1-n1_00000.jpg"
    classes = [published_class(key) for key in value["keys"]]
    assert (
        classes
        == value["labels"]
        == ["café"] * 2 + sum(([f"n{i}"] * (5 + i) for i in range(4)), [])
    )
    assert value["embeddings"].dtype == dtype
    expected = embeddings.embeddings.astype(dtype)
    np.testing.assert_array_equal(value["embeddings"], expected)
    np.testing.assert_array_equal(released_format.read(path).to_array(), expected)
    assert path.stat().st_size < expected.nbytes + 2500
    assert list(path.parent.iterdir()) == [path]
    assert capsys.readouterr().err == ""


def test_keys_are_strings_of_bytes_in_python_2_where_they_are_ascii(tmp_path):
    released_format.write(tmp_path / "train_embeddings.pkl", EmbeddingSet.from_arrays(arrays()))
    opcodes = {
        opcode.name
        for opcode, *_ in pickletools.genops((tmp_path / "train_embeddings.pkl").read_bytes())
    }
    assert "SHORT_BINSTRING" in opcodes
    assert opcodes.isdisjoint({"BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "FRAME"})


NAMES = [
    "t-shirt",
    "dog",
    "my_cat",
    "a",
    "a-a_b",
    "x-x_x-x",
    "Köln",
    "sea lion",
    "猫",
    "🦉",
    "-",
    "_",
    "a/b",
    "1",
]


def test_any_class_name_comes_back_and_what_others_cannot_read_is_told(tmp_path, capsys):
    given = {name: np.full([2 + i, 3], i + 1.0) for i, name in enumerate(NAMES)}
    given["n" * 300] = np.ones([2, 3])
    path = tmp_path / "train_embeddings.pkl"
    released_format.write(path, EmbeddingSet.from_arrays(given))
    (line,) = capsys.readouterr().err.splitlines()
    assert "class '-' (and 5 more) has a dash or an underscore with which" in line
    source = released_format.read(path)
    assert list(source.class_names) == sorted(given)
    assert source.counts.tolist() == [len(given[name]) for name in sorted(given)]
    expected = np.concatenate([given[name] for name in sorted(given)])
    np.testing.assert_array_equal(source.to_array(), expected)


def test_numbers_as_class_names_come_back_as_text(tmp_path):
    path = tmp_path / "train_embeddings.pkl"
    released_format.write(path, EmbeddingSet.from_arrays({0: np.ones((3, 4)), 1: np.ones((3, 4))}))
    assert released_format.read(path).class_names == ("0", "1")


def test_a_source_is_written_block_by_block(tmp_path):
    first, second = tmp_path / "first_embeddings.pkl", tmp_path / "second_embeddings.pkl"
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 9, 5000)
    rows = generator.normal(size=[5000, 700]).astype(np.float32)  # several blocks
    dump(first, {"embeddings": rows, "labels": labels})
    seen = []
    released_format.write(second, released_format.read(first), progress=seen.append)
    assert sum(seen) == 5000 and len(seen) > 1
    found = released_format.read(second)
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(found.to_array(), rows[order])
    np.testing.assert_array_equal(found.counts, np.bincount(labels))


@pytest.mark.parametrize(
    ("name", "dtype", "value", "message"),
    [
        ("train_embeddings.pkl", np.int32, 1, "stored as floats, not int32"),
        ("train_embeddings.pkl", np.float16, 1e5, "row 0 holds infinite values"),
        ("train_embeddings.pkl", np.float16, 1e-9, "row 0 is zero"),
        ("train_embeddings.npz", np.float32, 1, r"let its name end in \.pkl"),
    ],
)
def test_refuses_to_write_what_cannot_be_read(tmp_path, name, dtype, value, message):
    with pytest.raises(ValueError, match=message):
        classes = EmbeddingSet.from_arrays({"a": np.full([2, 3], value, float)})
        released_format.write(tmp_path / name, classes, dtype=dtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dataset", ["miniImageNet", "tieredImageNet"])
def test_what_is_wrong_with_a_released_file_is_a_warning(tmp_path, capsys, dataset):
    value = changed(keys=[*content()["keys"][:4], *content()["keys"][:2]], labels=[1] * 6)
    path = dump(tmp_path / dataset / "center" / "train_embeddings.pkl", value)
    assert released_format.read(path).counts.tolist() == [3, 3]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {path}: key 'train-n0-n0_0.jpg' comes more than once (2 rep")
    assert "label '1' has two classes" in line


def test_many_keys_are_checked_in_time(tmp_path):
    labels = [f"n{i // 1300:04d}" for i in range(450_000)]
    value = {
        "embeddings": np.ones([450_000, 1], np.float32),
        "keys": np.array([f"train-{name}-{name}_{i:06d}" for i, name in enumerate(labels)]),
        "labels": np.array(labels),
    }
    path = dump(tmp_path / "train_embeddings.pkl", value, 4)
    started = time.process_time()
    assert len(released_format.read(path).class_names) == 347
    assert time.process_time() - started < 6  # some 0.5 s; a check of pairs would take hours
