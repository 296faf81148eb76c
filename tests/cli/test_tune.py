"""The command leo_tf.tune: what it refuses, and that nothing is lost when it is stopped."""

import json
import signal

import pytest
from commands import assert_refused, command, interrupt

TINY = {
    "dataset": "tiny",
    "way": 3,
    "shot": 2,
    "tasks": 2,
    "queries": 3,
    "validation_episodes": 20,
    "method": "prototypical",
    "sampler": "random",
}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"trials": "many"}, "flag --trials=many"),
        ({"trials": 0}, "flag --trials=0"),
        ({"sampler": "grid"}, "flag --sampler=grid"),
        ({"method": "nearest_centroid"}, "--method=nearest_centroid has no settings to search"),
        ({"dataset": "sines_and_lines", "method": "leo"}, "a search is for classifiers"),
        ({"train_on_val": True}, "--train_on_val leaves nothing to judge settings by"),
        ({"protocol": "published"}, "--protocol=published is for a run: trials are judged on the"),
        ({"protocol": "early_stopping"}, "--protocol=early_stopping is for a run"),
        ({"outer_lr": -1}, "--outer_lr must not be negative"),
        ({"dataset": "mine"}, "no data set mine"),
    ],
)
def test_flags_that_make_no_sense_are_told_in_a_line(quick, data_path, tmp_path, flags, said):
    sizes = {} if flags.get("dataset") == "sines_and_lines" else {"way": 3, "shot": 2}
    given = {"dataset": "tiny", "method": "prototypical", **sizes, **flags}
    done = quick("leo_tf.tune", data_path=data_path, study=tmp_path / "study", **given)
    assert_refused(done, 2, said)
    assert not (tmp_path / "study").exists()


def test_a_study_of_another_shot_and_a_database_are_told_before_tensorflow_starts(
    quick, data_path, tmp_path
):
    record = {"method": "prototypical", "search": {"shot": 5}, "trials": []}
    (tmp_path / "trials.json").write_text(json.dumps(record))
    given = {**TINY, "data_path": data_path, "study": tmp_path}
    done = quick("leo_tf.tune", **given)
    assert_refused(done, 1, f"{tmp_path}/trials.json: has trials of another search", "shot is 5")
    assert [path.name for path in tmp_path.iterdir()] == ["trials.json"]
    given["study"] = tmp_path / "other"
    done = quick("leo_tf.tune", **given, storage="mysql://nowhere")
    assert_refused(done, 1, "--storage=mysql://nowhere: cannot be opened")


def trials_of(study):
    """Return the trials of a study's record, without the times that they took."""
    record = json.loads((study / "trials.json").read_text(encoding="utf-8"))
    return [{n: v for n, v in each.items() if n != "seconds"} for each in record["trials"]]


@pytest.mark.long
def test_a_search_that_was_killed_and_stopped_ends_as_one_that_was_not(data_path, tmp_path):
    given = {**TINY, "steps": 3000, "validate_every": 1000, "trials": 4, "data_path": data_path}
    whole, study = tmp_path / "whole", tmp_path / "study"
    assert command("leo_tf.tune", study=whole, **given).returncode == 0
    for number, at, status in ((signal.SIGKILL, 1, -9), (signal.SIGINT, 2, 130)):
        saved = study / f"running/trial{at}/checkpoints/step-1000.index"
        returned, errors = interrupt("leo_tf.tune", number, saved, study=study, **given)
        assert returned == status, errors
        assert len(trials_of(study)) == at
    assert "stopped, all saved; the same command goes on from there" in errors
    assert command("leo_tf.tune", study=study, **given).returncode == 0
    assert trials_of(study) == trials_of(whole)
    for number in (1, 2):  # each went on from where it was
        assert "resuming" in (study / f"logs/trial{number}.txt").read_text(encoding="utf-8")
    assert list((study / "running").iterdir()) == []


@pytest.mark.long
def test_the_best_settings_are_those_of_a_run_with_its_flags(data_path, tmp_path):
    given = {**TINY, "steps": 20, "validate_every": 10, "trials": 4, "data_path": data_path}
    study, run_dir = tmp_path / "study", tmp_path / "run"
    done = command("leo_tf.tune", study=study, jobs=2, **given)
    assert done.returncode == 0, done.stderr
    trials = trials_of(study)
    assert [each["trial"] for each in trials] == [0, 1, 2, 3]
    best = max(trials, key=lambda each: each["val_accuracy"] or 0)
    assert f"--flagfile={study}/best.flags" in done.stdout
    ran = command("leo_tf.run", flagfile=study / "best.flags", run_dir=run_dir, test_episodes=20)
    assert ran.returncode == 0, ran.stderr
    config = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
    assert best["settings"].items() <= config.items()
    assert (config["method"], config["steps"], config["shot"]) == ("prototypical", 20, 2)
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    assert result["val_accuracy"] == best["val_accuracy"]  # of the same training
    again = command("leo_tf.tune", study=study, **given)
    assert again.returncode == 0
    assert trials_of(study) == trials
