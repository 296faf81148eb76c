import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from data_pipeline import datasets, load_split, numpy_files, released_format

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
LABELS = ["b", "a", "b", "a"]
KEYS = [f"t-{label}-{label}_{i}.jpg" for i, label in enumerate(LABELS)]
SORTED = ROWS[[1, 3, 0, 2]]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "arrays",
    [
        {"embeddings": ROWS, "labels": LABELS},
        {"embeddings": ROWS, "labels": np.array(LABELS, object)},
        {"embeddings": ROWS, "labels": np.array(LABELS, "S")},
        {"embeddings": ROWS, "keys": KEYS},
        {"embeddings": ROWS, "keys": np.array(KEYS, object), "labels": LABELS},
        {"embeddings": np.asfortranarray(ROWS), "labels": LABELS},
        {"embeddings": ROWS.astype(">f8"), "labels": LABELS},
        {"embeddings": np.array(ROWS.tolist(), object), "labels": LABELS},
        {"b": ROWS[[0, 2]], "a": ROWS[[1, 3]]},
    ],
)
def test_an_npz_is_read(tmp_path, save, arrays):
    path = tmp_path / "train_embeddings.npz"
    save(path, **arrays)
    for read in (numpy_files.read, released_format.read):
        source = read(path)
        assert source.class_names == ("a", "b")
        np.testing.assert_array_equal(source.to_array(), SORTED)


def test_names_of_classes_in_an_npz(tmp_path):
    names = ["t-shirt", "my_cat", "Köln", "sea lion", "a/b", "0"]
    np.savez(tmp_path / "train_embeddings.npz", **dict.fromkeys(names, ROWS))
    source = numpy_files.read(tmp_path / "train_embeddings.npz")
    assert list(source.class_names) == sorted(names)


@pytest.mark.parametrize("beside", [["labels"], ["keys"], ["labels", "keys"]])
@pytest.mark.parametrize("name", ["train_embeddings", "embeddings", "mine"])
def test_npy_files_beside_each_other_are_read(tmp_path, name, beside):
    np.save(tmp_path / f"{name}.npy", ROWS)
    stem = name.removesuffix("embeddings").removesuffix("_")
    for what in beside:
        array = np.array({"labels": LABELS, "keys": KEYS}[what], object)
        np.save(tmp_path / f"{stem}_{what}.npy".lstrip("_"), array)
    source = released_format.read(tmp_path / f"{name}.npy")
    assert source.class_names == ("a", "b")
    np.testing.assert_array_equal(source.to_array(), SORTED)
    assert len(numpy_files.files(tmp_path / f"{name}.npy")) == 1 + len(beside)


def test_a_saved_dict_is_read(tmp_path):
    content = {"embeddings": ROWS, "labels": LABELS}
    np.save(tmp_path / "train_embeddings.npy", content)
    np.savez(tmp_path / "train_embeddings.npz", content)
    for ending in ("npy", "npz"):
        source = numpy_files.read(tmp_path / f"train_embeddings.{ending}")
        np.testing.assert_array_equal(source.to_array(), SORTED)


def test_an_array_longer_than_a_block_comes_in_blocks(tmp_path):
    rows = np.random.default_rng(0).normal(size=[5000, 300])
    labels = np.arange(5000) % 7
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "train_embeddings.npz", embeddings=rows, labels=labels)
        source = numpy_files.read(tmp_path / "train_embeddings.npz")
        assert len(list(source.blocks())) > 1
        expected = rows[np.argsort(labels, kind="stable")].astype(np.float32)
        np.testing.assert_array_equal(source.to_array(), expected)


def test_what_python_2_wrote(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4L, 3L), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    data = b"\x93NUMPY\x01\x00v\x00" + header + ROWS.tobytes()
    (tmp_path / "train_embeddings.npy").write_bytes(data)
    np.save(tmp_path / "train_labels.npy", LABELS)
    source = numpy_files.read(tmp_path / "train_embeddings.npy")
    np.testing.assert_array_equal(source.to_array(), SORTED)


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def damaged():
    data = bytearray(saved(embeddings=ROWS, labels=LABELS))
    data[data.index(ROWS.tobytes()) + 5] ^= 1
    return bytes(data)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


class Evil:
    def __reduce__(self):
        return os.system, ("false",)


BAD_NPZ = {
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps({"a": ROWS}), r"is not a NumPy \.npz file but a pickle; .* in \.pkl"),
    "page": (b"<html>", r"is not a NumPy \.npz file but a web page"),
    "table": (b"a,b\n1,2\n", r"is not a NumPy \.npz file but a table"),
    "junk": (b"junk", r"is no \.npz"),
    "cut": (saved(embeddings=ROWS)[:-30], "the beginning of a zip or .npz, truncated"),
    "damaged": (damaged(), "is damaged.*Bad CRC-32"),
    "no names": (saved(arr_0=ROWS, arr_1=ROWS), "its arrays have no names"),
    "other members": (zipped(**{"a.txt": b"x"})[:0] + zipped(a=b"x"), "'a' is damaged, or no .npy"),
    "hostile": (saved(embeddings=ROWS, labels=np.array([Evil()] * 4)), r"names posix\.system"),
    "nothing": (saved(), "holds no embeddings"),
    "bfloat16": (saved(a=ROWS.astype(np.float16).view("V2")), "must be floats, not .*V2"),
    "integers": (saved(a=np.ones([3, 3], int)), "'a' must be floats, not int64"),
    "labels": (saved(embeddings=ROWS, labels=LABELS[:3]), "has 3 labels for 4 embeddings"),
}


@pytest.mark.parametrize("fault", BAD_NPZ)
def test_a_bad_npz_is_named_in_one_line(tmp_path, fault):
    data, message = BAD_NPZ[fault]
    path = tmp_path / "train_embeddings.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        numpy_files.read(path).to_array()
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_bad_npy_files_are_named_in_one_line(tmp_path):
    path, labels = tmp_path / "train_embeddings.npy", tmp_path / "train_labels.npy"
    with pytest.raises(FileNotFoundError, match=r"train_embeddings\.npy: no such file"):
        numpy_files.read(path)
    np.save(path, ROWS)
    with pytest.raises(ValueError, match=r"has neither train_labels\.npy nor train_keys\.npy"):
        numpy_files.read(path)
    np.save(labels, np.array([Evil()] * 4))
    with pytest.raises(ValueError, match=r"train_labels\.npy: refused, it names posix\.system"):
        numpy_files.read(path)
    labels.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"train_labels\.npy: is not a NumPy \.npy file but a tab"):
        numpy_files.read(path)
    np.save(labels, LABELS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"embeddings\.npy: is truncated: .* takes 48 bytes"):
        numpy_files.read(path)


@pytest.mark.parametrize("ending", ["npz", "npy"])
def test_a_data_set_of_numpy_files(tmp_path, ending):
    folder = tmp_path / "mine" / "center"
    folder.mkdir(parents=True)
    for i, split in enumerate(datasets.SPLITS):
        rows = ROWS + 100 * i
        if ending == "npz":
            np.savez(folder / f"{split}_embeddings.npz", embeddings=rows, labels=LABELS)
        else:
            np.save(folder / f"{split}_embeddings.npy", rows)
            np.save(folder / f"{split}_labels.npy", [f"{split}{label}" for label in LABELS])
    found = load_split(tmp_path, "mine", split="val")
    np.testing.assert_array_equal(found.embeddings, SORTED + 100)
    if ending == "npy":  # other labels are read anew, though the embeddings stay
        np.save(folder / "val_labels.npy", ["x", "x", "y", "y"])
        found = load_split(tmp_path, "mine", split="val")
        assert found.class_names == ("x", "y")
        np.testing.assert_array_equal(found.embeddings, ROWS + 100)


def test_a_split_in_two_formats_is_refused(tmp_path):
    folder = tmp_path / "mine" / "center"
    folder.mkdir(parents=True)
    for name in ("train_embeddings.npz", "train_embeddings.pkl"):
        (folder / name).write_bytes(saved(embeddings=ROWS, labels=LABELS))
    with pytest.raises(ValueError, match=r"train twice, as train_embeddings\.pkl and train_emb"):
        load_split(tmp_path, "mine")
