"""Data of one file, shared out by the run, and data without val."""

import json

import pytest
from commands import assert_refused, command
from tiny import TINY_RUN, tiny_sets, write_sets

SETTINGS = {
    **{name: TINY_RUN[name] for name in ("dataset", "shot", "tasks", "queries", "seed")},
    "way": 2,
    "steps": 5,
    "validate_every": 2,
    "validation_episodes": 10,
    "test_episodes": 50,
    "method": "prototypical",
}


@pytest.fixture(scope="module")
def without_val(tmp_path_factory):
    sets = tiny_sets()
    del sets["val"]
    return write_sets(tmp_path_factory.mktemp("without_val"), sets)


@pytest.fixture(scope="module")
def one_file(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("one_file"), {"train": tiny_sets()["train"]})


@pytest.mark.parametrize("method", ["prototypical", "nearest_centroid"])
def test_without_val_the_last_step_is_the_result(without_val, tmp_path, method):
    settings = {**SETTINGS, "method": method}
    run_dir = tmp_path / "run"
    done = command("leo_tf.run", data_path=without_val, run_dir=run_dir, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "val: none, so the last step is the result" in done.stdout
    trained = method == "prototypical"
    said = "There is no val: the result is the last step, which nothing chose." in done.stdout
    assert said == trained
    result = json.loads((run_dir / "result.json").read_text())
    assert (result["validated"], result["val_accuracy"]) == (False, None)
    assert result["best_step"] == (5 if trained else 0)
    assert result["test_accuracy"] > 50
    if trained:
        assert "val" not in (run_dir / "metrics.csv").read_text().splitlines()[0]
        assert "best so far" not in done.stdout


@pytest.mark.long
def test_one_file_is_shared_out_and_written_down(one_file, tmp_path):
    run_dir = tmp_path / "run"
    flags = {"data_path": one_file, "run_dir": run_dir, **SETTINGS, "split": "50/25/25"}
    done = command("leo_tf.run", **flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Classes were shared out 50/25/25, see classes.json." in done.stdout
    classes = json.loads((run_dir / "classes.json").read_text())
    assert {name: len(part) for name, part in classes.items()} == {"train": 4, "val": 2, "test": 2}
    assert sorted(sum(classes.values(), [])) == [f"train{i}" for i in range(8)]
    again = command("leo_tf.run", **{**flags, "steps": 8})
    assert (again.returncode, again.stderr) == (0, "")
    assert f"resuming {run_dir} at step 5" in again.stdout
    assert json.loads((run_dir / "classes.json").read_text()) == classes
    result = json.loads((run_dir / "result.json").read_text())
    tested = {"run_dir": run_dir, "data_path": one_file, "json": tmp_path / "again.json"}
    done = command("leo_tf.evaluate", **tested, episodes=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "again.json").read_text())["test_accuracy"] == pytest.approx(
        result["test_accuracy"], abs=1e-4
    )
    other = command("leo_tf.run", **{**flags, "split": "50/0/50"})
    assert_refused(other, 1, "split is '50/25/25' there and '50/0/50' now")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "test_embeddings.pkl: not found"),
        ({"split": "70/10/30"}, "--split must make 100"),
        ({"split": "50/25/25", "way": 3}, "tiny/center/val has 2 classes, 3 were asked for"),
    ],
)
def test_what_one_file_does_not_give_is_refused(quick, one_file, tmp_path, flags, said):
    given = {"data_path": one_file, "run_dir": tmp_path / "run", **SETTINGS, **flags}
    assert_refused(quick("leo_tf.run", **given), 2, said)
    assert not (tmp_path / "run").exists()
