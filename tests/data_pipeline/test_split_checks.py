"""What splits promise of each other and of themselves, and how equal embeddings are told."""

import numpy as np
import pytest
from embedding_files import arrays, dataset, dump

from data_pipeline import EmbeddingSet, digests, load_split, load_splits, released_format


def written(data_path, name="mine", **splits):
    """Write {class: array} of some splits as a data set."""
    for split, value in splits.items():
        path = data_path / name / "center" / f"{split}_embeddings.pkl"
        released_format.write(path, EmbeddingSet.from_arrays(value))
    return data_path


def three(**changes):
    """Return {class: array} of three splits that share nothing."""
    splits = {s: arrays(seed=i, prefix=s) for i, s in enumerate(["train", "val", "test"])}
    return {split: {**value, **changes.get(split, {})} for split, value in splits.items()}


def refused(data_path, name="mine", **options):
    with pytest.raises(ValueError) as caught:
        load_splits(data_path, name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_splits_that_share_nothing_are_returned_as_they_are(tmp_path, capsys):
    expected = dataset(tmp_path)
    for found, split in zip(load_splits(tmp_path, "mine"), expected, strict=True):
        assert found.name == f"mine/center/{split}"
        np.testing.assert_array_equal(found.embeddings, expected[split].embeddings)
    joined, val = load_splits(tmp_path, "mine", splits=["train+val", "val"])
    assert (joined.num_classes, val.num_classes) == (8, 4)
    assert lines(capsys) == []


@pytest.mark.parametrize(
    "options", [{}, {"allow_overlap": True}, {"splits": ["train+val", "test"]}]
)
def test_a_class_in_two_splits_is_named(tmp_path, options):
    shared = arrays(num_classes=2, seed=7, prefix="shared")
    other = arrays(num_classes=2, seed=8, prefix="shared")
    written(tmp_path, **three(train=shared, test=other))
    line = refused(tmp_path, **options)
    assert (
        "class 'shared0' is in both mine/center/train and mine/center/test (as are 1 more)" in line
    )
    assert "leave it out of one" in line


def test_a_class_whose_accents_are_spelt_in_two_ways_is_one_class(tmp_path):
    composed, parted = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    splits = three(train=arrays(num_classes=1, seed=7, prefix=composed))
    written(tmp_path, **splits)
    rows = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    keys = [f"t-{name}0-{name}0_{i}" for name in (parted, composed, "b") for i in range(2)]
    path = tmp_path / "mine" / "center" / "test_embeddings.pkl"
    path.unlink()
    dump(path, {"embeddings": rows, "keys": keys}, 2)
    found = load_split(tmp_path, "mine", split="test")
    assert found.class_names == ("b0", f"{composed}0")
    np.testing.assert_array_equal(found.of_class(f"{parted}0"), rows[:4])
    assert f"class '{composed}0' is in both" in refused(tmp_path)
    with pytest.raises(ValueError, match=r"'cafe\\u0301' and 'caf\\xe9' are both .* rename one"):
        EmbeddingSet.from_arrays({parted: rows, composed: rows})


def test_an_embedding_in_two_splits_is_an_error_unless_it_is_meant(tmp_path, capsys):
    splits = three()
    splits["val"]["val2"][3] = splits["train"]["train1"][4]
    splits["test"]["test0"][:2] = splits["train"]["train3"][:2]
    written(tmp_path, **splits)
    line = refused(tmp_path)
    assert line.startswith(
        "1 embedding(s) in both mine/center/train and mine/center/val, such as class 'train1', "
        "image 4 of the first, class 'val2', image 3 of the second; "
    )
    assert "--allow_overlap" in line
    load_splits(tmp_path, "mine", allow_overlap=True)
    (warning,) = lines(capsys)
    assert warning.startswith("warning: 1 embedding(s) in both mine/center/train and mine/center/v")
    assert "; 2 embedding(s) in both mine/center/train and mine/center/test, such as" in warning


@pytest.mark.parametrize("where", ["val", "test"])
def test_rows_are_compared_as_the_float32_numbers_in_use(tmp_path, where):
    row = np.array([1.0, 0.0, 0.1, 3.0], np.float64)
    again = np.array([1.0, -0.0, np.float32(0.1), 3.0], np.float32)
    splits = {s: {s: np.random.default_rng(i).normal(size=(4, 4))} for i, s in enumerate(three())}
    splits["train"]["train"][1], splits[where][where][2] = row, again
    written(tmp_path, **splits)
    assert f"image 1 of the first, class {where!r}, image 2 of the second" in refused(tmp_path)


def test_rows_that_differ_in_the_last_bit_are_different(tmp_path):
    splits = three()
    splits["val"]["val0"][0] = splits["train"]["train0"][0]
    splits["val"]["val0"][0, 6] = np.nextafter(splits["val"]["val0"][0, 6], np.float32(np.inf))
    load_splits(written(tmp_path, **splits), "mine")


def test_rows_that_a_split_repeats_are_one_line_each_time(tmp_path, capsys, monkeypatch):
    splits = three()
    splits["val"]["val1"][5] = splits["val"]["val0"][2]
    splits["val"]["val3"][[1, 4]] = splits["val"]["val0"][2]
    written(tmp_path, **splits)
    expected = [
        "warning: mine/center/val: 3 of 26 embeddings equal another one there, such as class "
        "'val0', image 2, and class 'val1', image 5; leave the copies out"
    ]
    for _ in range(2):
        load_split(tmp_path, "mine", split="val")
        assert lines(capsys) == expected
        monkeypatch.setattr(digests, "row_hashes", None)  # the cache knows
    load_split(tmp_path, "mine", split="val")
    assert lines(capsys) == expected


def test_a_run_on_train_and_val_says_what_a_split_repeats_once(tmp_path, capsys):
    splits = three()
    splits["train"]["train1"][5] = splits["train"]["train0"][2]
    load_splits(written(tmp_path, **splits), "mine", splits=["train+val", "val", "test"])
    (line,) = lines(capsys)
    assert line.startswith("warning: mine/center/train: 1 of 26 embeddings equal another one")


def test_comparing_cached_splits_hashes_nothing(tmp_path, monkeypatch):
    splits = three()
    splits["val"]["val2"][3] = splits["train"]["train1"][4]
    written(tmp_path, **splits)
    first = refused(tmp_path)
    monkeypatch.setattr(digests, "row_hashes", None)
    assert refused(tmp_path) == first


def test_in_the_released_data_the_same_is_a_warning(tmp_path, capsys):
    shared = arrays(num_classes=1, seed=7, prefix="shared")
    splits = three(train=shared, val=shared)
    written(tmp_path, "miniImageNet", **splits)
    for _ in range(2):
        joined, val, _ = load_splits(tmp_path, "miniImageNet", splits=["train+val", "val", "test"])
        (line,) = lines(capsys)
        assert line.startswith("warning: class 'shared0' is in both miniImageNet/center/train and ")
        assert "; 5 embedding(s) in both miniImageNet/center/train and miniImageNet/cent" in line
    assert (joined.num_classes, val.num_classes) == (9, 5)
    both = np.concatenate([shared["shared0"], shared["shared0"]])
    np.testing.assert_array_equal(joined.of_class("shared0"), both)


def test_splits_of_other_sizes_are_refused(tmp_path):
    written(tmp_path, **{**three(), "test": arrays(dim=8, prefix="test")})
    line = refused(tmp_path)
    assert line.startswith("mine/center/test has embeddings of size 8, mine/center/train of size 7")


def test_the_digest_is_of_the_content_alone(tmp_path):
    value = {"b": np.arange(1, 13).reshape(4, 3) / 7, "a": np.arange(1, 7).reshape(2, 3) / 7}
    digest = EmbeddingSet.from_arrays(value).content.digest
    as_written = written(tmp_path / "1", train=value)
    keys = [f"x-{c}-{c}_{i}.jpg" for c in "ab" for i in range(len(value[c]))]
    content = {"keys": keys, "embeddings": np.concatenate([value["a"], value["b"]])}
    dump(tmp_path / "2" / "mine" / "center" / "train_embeddings.pkl", content, protocol=4)
    for data_path in (as_written, tmp_path / "2"):
        for _ in range(2):
            assert load_split(data_path, "mine").content.digest == digest


@pytest.mark.parametrize(
    "changed",
    [
        {"b": np.ones((4, 3))},
        {"b": np.arange(1, 13).reshape(4, 3)[[1, 0, 2, 3]] / 7},
        {"c": np.arange(1, 13).reshape(4, 3) / 7, "b": None},
        {"b": np.arange(1, 10).reshape(3, 3) / 7},
    ],
)
def test_the_digest_changes_with_the_content(changed):
    value = {"b": np.arange(1, 13).reshape(4, 3) / 7, "a": np.arange(1, 7).reshape(2, 3) / 7}
    other = {name: array for name, array in {**value, **changed}.items() if array is not None}
    digests_of_both = {EmbeddingSet.from_arrays(each).content.digest for each in (value, other)}
    assert len(digests_of_both) == 2


def test_classes_that_share_out_the_same_rows_otherwise_are_other_content():
    rows = np.arange(1, 19, dtype=np.float32).reshape(6, 3)
    parted = [EmbeddingSet(rows, ["a", "b"], counts) for counts in ([2, 4], [4, 2])]
    assert parted[0].content.digest != parted[1].content.digest
    named = [EmbeddingSet(rows, names, [3, 3]) for names in (["a", "bc"], ["ab", "c"])]
    assert named[0].content.digest != named[1].content.digest
