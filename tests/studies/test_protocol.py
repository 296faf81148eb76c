"""The published protocol: early stopping on val, then train and val together up to its step."""

import csv
import json
import shutil
import signal

import commands
import numpy as np
import pytest
from commands import assert_refused, command
from same_run import assert_same_run, checkpointed
from tiny import TINY_RUN, tiny_sets, write_sets

from data_pipeline import EmbeddingSet
from leo_tf.classification import experiment, inputs
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.result import table
from leo_tf.config import make_config
from leo_tf.studies import protocol
from leo_tf.training.claims import check, claim
from leo_tf.training.run_folder import RunFolder

SETTINGS = {**TINY_RUN, "steps": 60, "validate_every": 20, "test_episodes": 50}
PUBLISHED = {**SETTINGS, "protocol": "published"}
OF_ANY = {
    **{name: TINY_RUN[name] for name in ("dataset", "way", "shot", "tasks", "queries")},
    "method": "prototypical",
}


def published(**changes):
    return make_config(**{**PUBLISHED, **changes})


@pytest.fixture(scope="module")
def run(data_path, tmp_path_factory):
    """A run that nothing stopped: its folder and its result."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "published")
    result = protocol.train_and_test(protocol.load(published(), folder, data_path))
    return folder, result


def metrics(folder):
    with folder.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_the_second_stage_is_a_run_on_train_and_val_of_as_many_steps(run, data_path, tmp_path):
    folder, result = run
    steps = result["early_stopping"]["best_step"]
    assert 0 < steps < SETTINGS["steps"]
    config = make_config(**{**SETTINGS, "train_on_val": True, "steps": steps})
    plain = RunFolder(tmp_path / "plain")
    expected = experiment.train_and_test(config, plain, inputs.load(config, data_path))
    for name in ("checkpoints", "best"):
        found, theirs = (checkpointed(each.path / name) for each in (folder, plain))
        assert found.keys() == theirs.keys()
        assert len(found) >= 9
        for key, value in theirs.items():
            np.testing.assert_array_equal(found[key], value, err_msg=key)
    np.testing.assert_array_equal(np.load(folder.episodes), np.load(plain.episodes))
    for name in ("test_accuracy", "ci95", "trained_on", "train_on_val", "best_step", "steps_taken"):
        assert result[name] == expected[name], name


@pytest.mark.long
def test_the_result_tells_both_stages(run, tiny):
    folder, result = run
    assert json.loads(folder.result.read_text()) == result
    found = result["early_stopping"]
    assert (result["protocol"], result["steps"], result["val_accuracy"]) == ("published", 60, None)
    assert result["best_step"] == result["steps_taken"] == found["best_step"]
    assert result["trained_on"] == "tiny/center/train+val"
    first = folder.path / found["folder"]
    assert (found["steps"], found["steps_taken"]) == (60, 60)
    assert found["trained_on"] == "tiny/center/train"
    rows = {int(row["step"]): float(row["val_accuracy"]) for row in metrics(RunFolder(first))}
    assert list(rows) == [0, 20, 40, 60]
    assert rows[found["best_step"]] == max(rows.values()) == found["val_accuracy"]
    # The best model of the first stage, on the episodes of its step, drawn anew.
    config, done = RunFolder(first).read()
    assert (config.experiment.protocol, done) == ("early_stopping", None)
    classifier = experiment.make(config, tiny["train"])
    experiment.prepare(config, classifier, folder.early_stopping).restore_best()
    evaluator = Evaluator(tiny["val"], 3, 2, 10, SETTINGS["validation_episodes"], 3, fresh=True)
    evaluator.renew(found["best_step"])
    accuracies = 100 * evaluator.accuracies(classifier).astype(np.float64)
    assert found["val_accuracy"] == pytest.approx(accuracies.mean(), abs=1e-9)
    assert found["val_ci95"] == pytest.approx(1.96 * accuracies.std(ddof=1) / np.sqrt(200))
    text = table(result)
    assert "Published LEO" not in text
    said = f"Trained on train and val together for {found['best_step']} steps, which early stopping"
    assert said in text


@pytest.mark.long
def test_the_model_is_validated_as_it_is_made(run, tiny):
    folder, _ = run
    classifier = experiment.make(published(protocol="early_stopping"), tiny["train"])
    evaluator = Evaluator(tiny["val"], 3, 2, 10, SETTINGS["validation_episodes"], 3, fresh=True)
    accuracy = 100 * evaluator.accuracies(classifier).astype(np.float64).mean()
    row = metrics(folder.early_stopping)[0]
    assert (row["step"], row["epoch"], row["loss"]) == ("0", "", "")
    assert float(row["val_accuracy"]) == pytest.approx(accuracy, abs=1e-9)


@pytest.mark.long
def test_a_finished_run_is_tested_again_and_its_folders_are_runs(run, data_path, tmp_path):
    folder, result = run
    done = command("leo_tf.run", data_path=data_path, run_dir=folder, **PUBLISHED)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"resuming {folder.early_stopping} at step 60" in done.stdout
    assert f"resuming {folder} at step {result['best_step']}" in done.stdout
    assert "meta-validation" not in done.stdout
    again = json.loads(folder.result.read_text())
    assert again["test_accuracy"] == result["test_accuracy"]
    assert again["early_stopping"] == result["early_stopping"]
    for run_dir, splits in ((folder, "train+val"), (folder.early_stopping, "train")):
        told = {"json": tmp_path / "told.json", "data_path": data_path, "episodes": 50}
        done = command("leo_tf.evaluate", run_dir=run_dir, **told)
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads((tmp_path / "told.json").read_text())
        assert told["trained_on"] == f"tiny/center/{splits}"
        if run_dir is folder:
            assert told["test_accuracy"] == pytest.approx(result["test_accuracy"], abs=1e-4)
    plain = command("leo_tf.run", data_path=data_path, run_dir=folder, **SETTINGS)
    assert_refused(plain, 1, "protocol is 'published' there and 'plain' now")


@pytest.mark.long
def test_a_run_stopped_in_each_stage_ends_like_one_that_was_not(run, data_path, tmp_path):
    """In the first, at its end, in the second, and in the test."""
    folder, flags = tmp_path / "stopped", {"data_path": data_path, **PUBLISHED}
    first, last = folder / "early_stopping" / "checkpoints", folder / "checkpoints"
    for number, after, pause in (
        (signal.SIGINT, first / "step-20.index", 0.1),
        (signal.SIGKILL, first / "step-60.index", 0.1),
        (signal.SIGTERM, last / "step-0.index", 0.1),
        (signal.SIGKILL, folder / "saved_model" / "saved_model.pb", 0.1),
    ):
        status, errors = commands.interrupt(
            "leo_tf.run", number, after, pause, run_dir=folder, **flags
        )
        assert status in (130, -number), errors
        assert not (folder / "result.json").exists()
    done = command("leo_tf.run", run_dir=folder, **flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_run(folder, run[0].path)
    for name in ("checkpoints", "best"):
        found, expected = (
            checkpointed(each / "early_stopping" / name) for each in (folder, run[0].path)
        )
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=key)
    validated = {
        row["step"]: row["val_accuracy"] for row in metrics(RunFolder(folder).early_stopping)
    }
    expected = {row["step"]: row["val_accuracy"] for row in metrics(run[0].early_stopping)}
    assert validated.items() >= expected.items()


@pytest.mark.long
def test_where_training_helps_nothing_the_untrained_model_is_tested(data_path, tmp_path, tiny):
    """At a rate at which every step does harm; then tested otherwise, and not trained."""
    folder, config = RunFolder(tmp_path / "run"), published(outer_lr=3.0)
    result = protocol.train_and_test(protocol.load(config, folder, data_path))
    found = result["early_stopping"]
    assert (found["best_step"], found["steps_taken"]) == (0, 60)
    assert (result["best_step"], result["steps_taken"], result["diverged"]) == (0, 0, None)
    assert "Untrained: early stopping found step 0 the best." in table(result)
    untrained = experiment.make(config, tiny["train"])
    saved = checkpointed(folder.best)
    for i, variable in enumerate(untrained.model.trainable_variables):
        name = f"model/{i}/.ATTRIBUTES/VARIABLE_VALUE"
        np.testing.assert_array_equal(saved[name], variable.numpy())
    evaluator = Evaluator(tiny["test"], 3, 2, 10, 50, 3)
    accuracy = 100 * evaluator.accuracies(untrained).mean()
    assert result["test_accuracy"] == pytest.approx(accuracy, abs=1e-4)
    more = published(outer_lr=3.0, test_episodes=60)
    again = protocol.train_and_test(protocol.load(more, folder, data_path))
    assert (again["test_episodes"], again["early_stopping"]) == (60, found)


@pytest.mark.long
def test_more_steps_go_on_in_both_stages_or_say_why_they_cannot(run, data_path, tmp_path):
    folder = tmp_path / "longer"
    shutil.copytree(run[0].path, folder)
    longer = published(steps=80)
    found = protocol.train_and_test(protocol.load(longer, RunFolder(folder), data_path))
    at_once = RunFolder(tmp_path / "at_once")
    protocol.train_and_test(protocol.load(longer, at_once, data_path))
    assert_same_run(folder, at_once.path)
    assert found["steps"] == found["early_stopping"]["steps"] == 80
    stages = protocol.load(longer, RunFolder(folder), data_path)
    saved = RunFolder(folder).checkpoints / "step-70.index"
    saved.write_bytes(b"")  # as if train and val had been trained on for longer
    with pytest.raises(ValueError, match=r"for 70 steps, and early stopping .* which are fewer"):
        protocol.train_and_test(stages)


@pytest.mark.long
def test_classes_that_the_run_shares_out_are_in_both_folders(tmp_path):
    sets = tiny_sets()
    arrays = {
        f"{split}{i}": part.of_class(name)
        for split, part in sets.items()
        for i, name in enumerate(part.class_names)
    }
    pool = EmbeddingSet.from_arrays(arrays, "tiny/center/train")
    data_path = write_sets(tmp_path, {"train": pool})
    few = {"steps": 2, "validate_every": 1, "validation_episodes": 10, "test_episodes": 10}
    config = make_config(**OF_ANY, **few, split="50/25/25", protocol="published")
    folder = RunFolder(tmp_path / "run")
    protocol.train_and_test(protocol.load(config, folder, data_path))
    parts = [json.loads(each.classes.read_text()) for each in (folder, folder.early_stopping)]
    whole, first = ({name: set(classes) for name, classes in part.items()} for part in parts)
    assert whole == {**first, "train": first["train"] | first["val"]}
    assert [len(first[name]) for name in ("train", "val", "test")] == [10, 5, 5]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"protocol": "magic"}, "--protocol must be plain, early_stopping or published, not 'magi"),
        ({"split": "60/0/40"}, "protocol published needs classes for val, split 60/0/40 has none"),
        ({"method": "nearest_centroid"}, "finds a number of steps, and --method=nearest_centroid"),
        ({"train_on_val": "false"}, "--train_on_val is what protocol published does in its second"),
        (
            {"protocol": "early_stopping", "train_on_val": "true"},
            "--train_on_val leaves no val for protocol early_stopping",
        ),
        ({"dataset": "sines_and_lines", "way": 5}, "sines_and_lines has no setting protocol"),
        ({"dataset": "without"}, "protocol published needs a val, and without has none; leave"),
    ],
)
def test_what_the_protocol_does_not_go_with_is_refused(quick, tmp_path, flags, said):
    sets = tiny_sets()
    del sets["val"]
    data_path = write_sets(tmp_path, sets, "without")
    given = {"dataset": "tiny", "way": 3, "protocol": "published", **flags}
    if given["dataset"] == "sines_and_lines":
        del given["way"]
    done = quick("leo_tf.run", data_path=data_path, run_dir=tmp_path / "run", **given)
    assert_refused(done, 2, said)
    assert not (tmp_path / "run").exists()


def test_each_protocol_has_a_folder_of_its_own():
    names = {
        name: make_config(dataset="tiny", protocol=name).run_dir
        for name in ("plain", "early_stopping", "published")
    }
    assert names == {
        "plain": "runs/tiny_5way_1shot/seed0",
        "early_stopping": "runs/tiny_5way_1shot_early_stopping/seed0",
        "published": "runs/tiny_5way_1shot_published/seed0",
    }
    config = make_config(dataset="tiny", protocol="published", method="prototypical")
    assert config.run_dir == "runs/tiny_5way_1shot_published/prototypical/seed0"
    assert config.experiment.train_on_val


def test_a_configuration_of_an_older_version_is_of_one_stage(tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = make_config(dataset="tiny")
    claim(folder, config)
    written = json.loads(folder.config.read_text())
    del written["protocol"]
    folder.config.write_text(json.dumps(written))
    assert folder.read() == (config, None)
    claim(folder, config)
    with pytest.raises(ValueError, match="protocol is 'plain' there and 'published' now"):
        check(folder, make_config(dataset="tiny", protocol="published"))


def test_what_a_stage_does_not_allow_is_refused_before_the_run_is_changed(data_path, tmp_path):
    """The first stage has done more steps than are asked for; then it has lost them."""
    folder = RunFolder(tmp_path / "run")
    run, first = protocol.load(published(), folder, data_path)
    for stage, steps in ((run, (20, 40)), (first, (40, 60))):
        claim(stage.folder, stage.config, stage.splits.digests())
        stage.folder.checkpoints.mkdir()
        for step in steps:
            (stage.folder.checkpoints / f"step-{step}.index").touch()
    assert first.folder.identity == f"{folder.identity}/early_stopping"
    assert RunFolder(first.folder.path).identity == first.folder.identity
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    line = f"{first.folder.config}: this run has done 60 steps, --steps=50 are not more"
    with pytest.raises(ValueError, match=line):
        protocol.load(published(steps=50), folder, data_path)
    assert before == {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    protocol.load(published(steps=70), folder, data_path)
    shutil.rmtree(first.folder.checkpoints)
    with pytest.raises(ValueError, match="early_stopping/checkpoints: has no checkpoints, though"):
        protocol.load(published(), folder, data_path)
