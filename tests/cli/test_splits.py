"""Data of one file, shared out by the run, and data without val."""

import json
import shutil

import pytest
from commands import assert_refused, command
from tiny import TINY_RUN, tiny_sets, write_sets

from data_pipeline.class_split import assign
from leo_tf.classification import inputs
from leo_tf.config.experiments import Classification

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


@pytest.mark.long
def test_a_saved_model_is_tested_on_the_classes_that_its_run_kept_for_it(tmp_path):
    sets = tiny_sets()
    data_path = write_sets(tmp_path / "data", {name: sets[name] for name in ("train", "test")})
    run_dir, told = tmp_path / "run", tmp_path / "told.json"
    flags = {**SETTINGS, "method": "nearest_centroid", "split": "50/25/25", "data_path": data_path}
    assert command("leo_tf.run", run_dir=run_dir, **flags).returncode == 0
    shutil.copytree(run_dir / "saved_model", tmp_path / "model")  # without the run's classes.json
    tested = {"saved_model": tmp_path / "model", "dataset": "tiny", "way": 2, "shot": 2}
    tested |= {"episodes": 50, "seed": SETTINGS["seed"], "json": told}
    # The file of test has classes that the run has trained on.
    again = command("leo_tf.evaluate", data_path=data_path, **tested)
    assert (again.returncode, again.stderr) == (0, "")
    result, found = (json.loads(path.read_text()) for path in (run_dir / "result.json", told))
    assert found["test_accuracy"] == pytest.approx(result["test_accuracy"], abs=1e-4)
    assert found["class_split"] == "50/25/25"
    more = write_sets(tmp_path / "more", sets)
    refused = command("leo_tf.evaluate", data_path=more, **tested)
    assert_refused(refused, 1, "is not what the model's classes were shared out of")


def test_classes_that_a_model_knows_are_none_of_its_test(tmp_path):
    sets = tiny_sets()
    write_sets(tmp_path, {name: sets[name] for name in ("train", "test")})
    trained = Classification(dataset="tiny", way=2, split="50/25/25", seed=7)
    classes = assign([*sets["train"].class_names, *sets["test"].class_names], "50/25/25", 7)
    about = {"dataset": "tiny", "crop": "center", "split": "50/25/25", "seed": 7}
    asked = inputs.shared_out_as(Classification(dataset="tiny", way=2, seed=1), about)
    found = inputs.load_tested([asked], tmp_path, about=about)
    assert found.class_names == tuple(classes["test"])
    assert asked.split == trained.split
    of_others = inputs.shared_out_as(Classification(dataset="tiny", way=2), {"dataset": "other"})
    assert inputs.load_tested([of_others], tmp_path).class_names == sets["test"].class_names
    about["data"] = {"test": "0123"}
    with pytest.raises(ValueError, match="is not what the model's classes were shared out of"):
        inputs.load_tested([asked], tmp_path, about=about)


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
