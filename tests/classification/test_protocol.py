"""The table of a result: what stands beside published figures, and what sets them apart."""

import pytest

from leo_tf.classification.protocol import trained_on
from leo_tf.classification.result import table

RESULT = {
    "dataset": "miniImageNet",
    "crop": "center",
    "way": 5,
    "shot": 1,
    "split": "test",
    "test_episodes": 10,
    "queries": 15,
    "test_accuracy": 60,
    "ci95": 1,
    "nearest_centroid_accuracy": 50,
    "nearest_centroid_ci95": 1,
}


def lines(**changes):
    return table({**RESULT, **changes}).splitlines()


def row(start, **changes):
    """Return what a row says after its name: what was trained on, and the figures."""
    (found,) = (line for line in lines(**changes) if line.startswith(start))
    return found.removeprefix(start).split()


def test_published_rows_name_their_source_and_every_row_its_training():
    assert row("LEO, this run", train_on_val=False) == ["train", "60.00", "±", "1.00"]
    paper, code = (row(start, train_on_val=False) for start in ("LEO paper", "LEO released code"))
    assert paper == ["train+val", "61.76", "±", "0.08", "-1.76"]
    assert code == ["train+val", "61.89", "±", "0.16", "-1.89"]


@pytest.mark.parametrize(
    ("settings", "splits", "told"),
    [
        ({"train_on_val": False}, "train", "this run on train alone"),
        ({"train_on_val": True}, "train+val", "so was this run"),
        ({"train_on_val": None}, "not known", "is not known"),
        ({}, "not known", "is not known"),
        ({"trained_on": "glyphs/center/train"}, "glyphs/center/train", "on glyphs/center/train"),
        ({"method": "nearest_centroid"}, "-", None),
    ],
)
@pytest.mark.parametrize(
    "setting", [{}, {"shot": 5, "crop": "multiview"}, {"dataset": "tieredImageNet", "shot": 5}]
)
def test_a_note_tells_published_training_from_this_runs(setting, settings, splits, told):
    found = lines(**setting, **settings)
    (own,) = (line for line in found if ", this run" in line)
    assert f" {splits} " in own
    text = " ".join(" ".join(found).split())
    assert ("Published LEO was trained on train and val together" in text) == (told is not None)
    assert told is None or told in text
    assert all(len(line) <= 100 for line in found)


def test_the_published_test_is_told_apart_from_a_smaller_one():
    note = "- Published tests are 10000 episodes of 599 queries a class, this one is 10 of 15."
    assert note in lines()
    same = lines(test_episodes=10_000, queries=599)
    assert not any("Published tests" in line for line in same)
    assert any("± is over the runs" in line for line in same)


@pytest.mark.parametrize(
    "setting", [{"dataset": "glyphs"}, {"way": 20}, {"split": "val"}, {"shot": 10}]
)
def test_where_nothing_is_published_nothing_is_said_of_it(setting):
    text = "\n".join(lines(**setting, train_on_val=False))
    assert "ublished" not in text and "trained on" not in text
    assert text.endswith("± is the 95 % interval of the mean over the episodes.")


@pytest.mark.parametrize(
    ("split", "train_on_val", "seen"),
    [("val", True, True), ("val", False, False), ("train", False, True), ("test", True, False)],
)
def test_a_test_on_classes_that_were_trained_on_is_called_so(split, train_on_val, seen):
    found = lines(split=split, train_on_val=train_on_val)
    assert any(line.startswith(f"Classes of {split} were trained on") for line in found) == seen
    # of another data set's model, the split's name says nothing
    other = lines(split=split, trained_on="glyphs/center/train+val")
    assert not any("Classes of" in line for line in other)
    crop = lines(split=split, crop="multiview", trained_on="miniImageNet/center/train+val")
    assert any("Classes of" in line for line in crop) == (split != "test")


def test_a_test_of_splits_that_may_share_embeddings_is_called_so():
    told = [line for line in lines(allow_overlap=True) if "--allow_overlap" in line]
    assert told == ["The splits may share embeddings (--allow_overlap), so not all need be new."]
    assert not any("overlap" in line for line in lines(allow_overlap=False))


@pytest.mark.parametrize(
    ("method", "told"), [("nearest_centroid", "-"), ("simple_shot", "a/center/train")]
)
def test_what_the_base_classes_decide_is_told_as_training_on_them(method, told):
    settings = {"dataset": "a", "crop": "center", "train_on_val": False}
    assert trained_on(settings, method) == told
