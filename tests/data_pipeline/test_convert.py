import collections
import contextlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from embedding_files import arrays, dataset, dump

from data_pipeline import EmbeddingSet, convert, datasets, load_split, released_format


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "data_pipeline.convert", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )


def rows(split):
    """Return the classes of a split, {name: rows}."""
    return arrays(num_classes=3, seed=datasets.SPLITS.index(split), prefix=split)


def labelled(split):
    """Return the same as embeddings, labels and keys."""
    classes = rows(split)
    labels = [name for name, of_class in classes.items() for _ in of_class]
    keys = [f"x-{label}-{label}_{i}.jpg" for i, label in enumerate(labels)]
    return {"embeddings": np.concatenate(list(classes.values())), "labels": labels, "keys": keys}


def save_npy(folder, split):
    content = labelled(split)
    np.save(folder / f"{split}_embeddings.npy", content["embeddings"])
    np.save(folder / f"{split}_labels.npy", content["labels"])


WRITERS = {
    "released": lambda folder, split: dump(folder / f"{split}_embeddings.pkl", labelled(split)),
    "classes": lambda folder, split: dump(folder / f"{split}.pkl", rows(split)),
    "ordered": lambda folder, split: dump(
        folder / f"my-{split}.pickle", collections.OrderedDict(labelled(split))
    ),
    "npz": lambda folder, split: np.savez(folder / f"{split}.npz", **labelled(split)),
    "npz of classes": lambda folder, split: np.savez(folder / f"{split}.npz", **rows(split)),
    "npy": save_npy,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_writes_the_released_format_from_each_of_these(tmp_path, kind):
    for split in datasets.SPLITS:
        WRITERS[kind](tmp_path, split)
    convert.convert([tmp_path], tmp_path / "out", "pets")
    for split in datasets.SPLITS:
        expected = EmbeddingSet.from_arrays(rows(split))
        found = load_split(tmp_path / "out", "pets", split=split)
        assert found.class_names == expected.class_names
        np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    with open(tmp_path / "out" / "pets" / "center" / "val_embeddings.pkl", "rb") as file:
        value = pickle.load(file, encoding="latin1")
    for key in value["keys"]:
        _, label, image = key.split("-")
        assert label == image.split("_")[0]
    has_keys = kind in ("released", "ordered", "npz")
    assert value["keys"][:2] == (
        ["x-val0-val0_0.jpg", "x-val0-val0_1.jpg"]
        if has_keys
        else ["val-val0-val0_00000.jpg", "val-val0-val0_00001.jpg"]
    )


def test_the_command_says_what_to_run_next(tmp_path):
    for split in datasets.SPLITS:
        WRITERS["npy"](tmp_path, split)
    out = tmp_path / "a folder" / "embeddings"
    done = run(*sorted(tmp_path.glob("*.npy")), f"--out={out}", "--dataset=pets")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{out}/pets/center/train_embeddings.pkl: 3 classes, 18 images, 7-d"
    assert lines[3:] == [
        f"Next: python -m leo_tf.run '--data_path={out}' --dataset=pets --way=3 --shot=1 "
        "--queries=4"
    ]
    assert not list(out.glob("*.partial*"))


def test_a_split_at_a_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    for i, split in enumerate(datasets.SPLITS):
        np.savez(tmp_path / f"{i}.npz", **rows(split))
        with contextlib.suppress(SystemExit):
            convert.cli(["convert", f"~/{i}.npz", "--out=~/e", f"--split={split}", "--crop=big"])
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith(
            [
                "Next: convert val and test to the same --out",
                "Next: convert test to the same --out",
                f"Next: python -m leo_tf.run --data_path={tmp_path}/e --dataset=own --crop=big ",
            ][i]
        )
    assert datasets.check_dataset(tmp_path / "e", "own", "big").is_dir()


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.npz", "train"),
        ("miniImageNet_val_features.pkl", "val"),
        ("validation.npz", "val"),
        ("MyTestSet.npz", "test"),
        ("training-2.pkl", "train"),
        ("test/features.npz", "test"),
        ("train/test.npz", "test"),
    ],
)
def test_a_name_tells_the_split(tmp_path, name, split):
    assert convert.split_of(tmp_path / name) == split


def test_no_file_of_a_folder_is_passed_over(tmp_path):
    """One split under its proper name, the others under other ones."""
    for split in datasets.SPLITS:
        name = "val_embeddings.npz" if split == "val" else f"{split}.npz"
        np.savez(tmp_path / name, **rows(split))
    written = convert.convert([tmp_path], tmp_path / "out")
    assert [path.name for path in written] == [f"{s}_embeddings.pkl" for s in datasets.SPLITS]


def test_a_crop_that_could_not_be_read_back_is_not_written(tmp_path):
    np.savez(tmp_path / "train.npz", **rows("train"))
    with pytest.raises(ValueError, match="tieredImageNet has no crop multiview"):
        convert.convert([tmp_path], tmp_path / "out", "tieredImageNet", "multiview")
    assert not (tmp_path / "out").exists()


def test_what_splits_share_is_told_with_their_own_names(tmp_path, capsys):
    splits = {split: rows(split) for split in datasets.SPLITS}
    splits["test"]["test-a_b"] = splits["train"]["train0"] + 1
    splits["test"]["test1"][2] = splits["train"]["train0"][1]
    for split, classes in splits.items():
        np.savez(tmp_path / f"{split}.npz", **classes)
    with pytest.raises(SystemExit, match="0"):
        convert.cli(["convert", str(tmp_path), f"--out={tmp_path / 'out'}"])
    note, warning = capsys.readouterr().err.splitlines()
    assert note.startswith("note: test_embeddings.pkl: class 'test-a_b' has a dash or an unders")
    assert warning.startswith("warning: 1 embedding(s) in both own/center/train and own/center/te")


@pytest.mark.parametrize("name", ["features.npz", "phase_train_val.npz", "contest.npz"])
def test_a_name_that_tells_no_split(name, tmp_path):
    with pytest.raises(ValueError, match=r"its name tells (no split|two splits); let it have"):
        convert.split_of(tmp_path / name)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_refused_leaves_nothing(tmp_path, capsys):
    train, val, out = tmp_path / "train.npz", tmp_path / "val.pkl", tmp_path / "out"
    np.savez(train, **rows("train"))

    def refused(status, said, *arguments):
        with pytest.raises(SystemExit) as ended:
            convert.cli(["convert", *map(str, arguments), f"--out={out}"])
        assert ended.value.code == status
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and said in line
        assert not out.exists() or files(out) in ([], [".convert.lock"])

    refused(1, f"{val}: no such file or folder", train, val)
    dump(val, rows("train"))
    refused(1, f"{val}: class 'train0' is in {train}, too; splits must not share", train, val)
    dump(val, arrays(dim=9, prefix="v"))
    refused(1, f"{val}: has embeddings of size 9, {train} of 7", train, val)
    dump(val, {**rows("val"), "bad": rows("val")["val0"] * np.nan})
    refused(1, f"{val}: the embedding of class 'bad', image 0 holds NaN", train, val)
    val.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    refused(1, f"{val}: refused, it names os.system", train, val)
    other = dump(tmp_path / "train.pkl", rows("train"))
    refused(1, f"{train} and {other} are both train", train, other)
    refused(2, "--split is for a single file; here are 2", train, val, "--split=train")
    refused(2, "dataset must be the name of a folder, not '../x'", train, "--dataset=../x")
    refused(2, "name at least one file or folder of embeddings")
    (tmp_path / "empty").mkdir()
    refused(1, "holds no files of embeddings", tmp_path / "empty")


def test_nothing_is_overwritten(tmp_path):
    dataset(tmp_path / "out", "own", splits=["train"])
    path = tmp_path / "out" / "own" / "center" / "train_embeddings.pkl"
    before = path.read_bytes()
    np.savez(tmp_path / "train.npz", **rows("train"))
    with pytest.raises(ValueError, match=rf"{path}: is there already; choose another --dataset"):
        convert.convert([tmp_path / "train.npz"], tmp_path / "out")
    with pytest.raises(ValueError, match="is there already"):
        convert.convert([path], tmp_path / "out")
    assert path.read_bytes() == before
    np.savez(tmp_path / "val.npz", **rows("train"))  # of the classes that are there
    with pytest.raises(ValueError, match="class 'train0' is in .*train_embeddings"):
        convert.convert([tmp_path / "val.npz"], tmp_path / "out")
    np.savez(tmp_path / "val.npz", **rows("val"))
    convert.convert([tmp_path / "val.npz"], tmp_path / "out")
    assert files(tmp_path / "out" / "own") == ["train_embeddings.pkl", "val_embeddings.pkl"]


def test_a_crash_leaves_no_half_data_set(tmp_path, monkeypatch):
    for split in datasets.SPLITS:
        np.savez(tmp_path / f"{split}.npz", **rows(split))
    write = released_format.write

    def fail_at_test(path, *arguments, **options):
        if path.name.startswith("test"):
            raise OSError(28, "No space left on device", str(path))
        write(path, *arguments, **options)

    monkeypatch.setattr(released_format, "write", fail_at_test)
    with pytest.raises(OSError, match="No space left"):
        convert.convert([tmp_path], tmp_path / "out")
    assert files(tmp_path / "out") == [".convert.lock"]
    (tmp_path / "out" / ".converted.partial-0").mkdir()  # of a killed process
    monkeypatch.undo()
    convert.convert([tmp_path], tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [".convert.lock", "own"]


def test_help_is_quick():
    code = "import sys, data_pipeline.convert; print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).split() == [b"False"]
    done = run("--help")
    assert done.returncode == 0 and "--dataset" in done.stdout
