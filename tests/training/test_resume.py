"""Runs that are interrupted: what they end with, and which folders they refuse."""

import csv
import json
import signal

import commands
import numpy as np
import pytest
import tensorflow as tf
from commands import command
from same_run import assert_same_run
from tiny import TINY_RUN

from leo_tf.classification.experiment import train_and_test
from leo_tf.classification.inputs import Splits
from leo_tf.config import make_config
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.model import MetaModel
from leo_tf.training.checkpoints import CheckpointFolder
from leo_tf.training.fit import compile_model, segments
from leo_tf.training.run_folder import RunFolder
from leo_tf.training.run_state import RunState


def metrics(run_dir):
    """Return {step: row} of metrics.csv."""
    with (run_dir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_step = {int(row["step"]): row for row in rows}
    assert len(by_step) == len(rows)
    return by_step


def interrupt(run_dir, data_path, after, number):
    """Start a run, send it a signal a moment after it saved a step; return its exit and stderr."""
    saved = run_dir / "checkpoints" / f"step-{after}.index"
    flags = {"data_path": data_path, "run_dir": run_dir, **TINY_RUN}
    return commands.interrupt("leo_tf.run", number, saved, pause=0.2, **flags)


def resume(run_dir, data_path):
    return command("leo_tf.run", data_path=data_path, run_dir=run_dir, **TINY_RUN)


@pytest.mark.long
def test_a_run_stopped_at_random_moments_ends_like_one_that_was_not(
    finished_run, data_path, tmp_path
):
    """Killed, terminated, killed again, and then its newest checkpoint truncated."""
    run_dir = tmp_path / "stopped"
    assert interrupt(run_dir, data_path, 100, signal.SIGKILL)[0] == -signal.SIGKILL
    status, errors = interrupt(run_dir, data_path, 200, signal.SIGTERM)
    assert status == 130
    (line,) = (line for line in errors.splitlines() if line.startswith("stopped"))
    stopped = int(line.split()[3])
    assert 200 <= stopped <= 400
    assert line == (
        f"stopped at step {stopped} of 400, all saved; the same command goes on from there"
    )
    after = 300 if stopped < 300 else 400
    assert interrupt(run_dir, data_path, after, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (run_dir / "result.json").exists()
    newest = run_dir / "checkpoints" / f"step-{after}.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:1000])
    done = resume(run_dir, data_path)
    assert done.returncode == 0, done.stderr
    assert (
        f"{run_dir}/checkpoints/step-{after}: checkpoint is damaged, "
        "falling back to the one before it"
    ) in done.stderr.splitlines()
    assert f"resuming {run_dir} at step {before(after, stopped)}" in done.stdout
    assert_same_run(run_dir, finished_run[1])
    assert_same_metrics(metrics(run_dir), metrics(finished_run[1]), stopped)


def before(step, stopped):
    """Return the step of the checkpoint before one: a validation's, or where a signal stopped."""
    return stopped if step - 100 < stopped < step else step - 100


def assert_same_metrics(found, expected, stopped):
    """Compare {step: row} of a run with those of one that was never stopped."""
    assert found.keys() - {stopped} == expected.keys() - {stopped}
    for step, row in expected.items():
        # Averages over an interval that was left by a signal start again where it stopped.
        halved = step - 100 < stopped < step
        names = ("val_accuracy", "inner_lr") if halved else row.keys() - {"epoch"}
        assert {n: found[step][n] for n in names} == {n: row[n] for n in names}


@pytest.mark.long
def test_more_steps_go_on_from_the_end_as_if_they_had_been_asked_for_at_once(
    tiny, tmp_path, capsys
):
    """The first end is between two validations. Then it is tested otherwise, not trained."""
    few = {"validate_every": 2, "validation_episodes": 20, "test_episodes": 20}
    splits = Splits(**tiny)

    def run(name, **changes):
        config = make_config(**{**TINY_RUN, **few, **changes})
        train_and_test(config, RunFolder(tmp_path / name), splits)
        return capsys.readouterr().out

    run("longer", steps=3)
    said = run("longer", steps=4)
    assert f"resuming {tmp_path / 'longer'} at step 3" in said
    run("at_once", steps=4)
    assert_same_run(tmp_path / "longer", tmp_path / "at_once")
    assert "validation" not in run("longer", steps=4, test_episodes=30)
    result = json.loads((tmp_path / "longer" / "result.json").read_text())
    assert (result["steps"], result["test_episodes"]) == (4, 30)


def test_checkpoints_that_cannot_be_read_are_named(tmp_path, capsys):
    folder, variable = tmp_path / "checkpoints", tf.Variable([1.0, 2.0])
    assert CheckpointFolder(folder, {"variable": variable}).restore() is None
    for step in (3, 20, 100):
        variable.assign([step, -step])
        CheckpointFolder(folder, {"variable": variable}).save(step)
    assert sorted(path.stem for path in folder.glob("*.index")) == ["step-100", "step-20"]
    (folder / "step-100.data-00000-of-00001").unlink()
    assert CheckpointFolder(folder, {"variable": variable}).restore() == 20
    np.testing.assert_array_equal(variable, [20, -20])
    assert capsys.readouterr().err.splitlines() == [
        f"{folder}/step-100: checkpoint is damaged, falling back to the one before it"
    ]
    (folder / "step-20.index").write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint can be read; put back what was there"):
        CheckpointFolder(folder, {"variable": variable}).restore()


def test_what_is_not_trained_is_saved_and_restored_too(tmp_path):
    def state():
        settings = MetaLearner()
        model = MetaModel(settings)
        model.trained = model.add_weight(shape=(2,), name="trained")
        model.moving = model.add_weight(shape=(2,), trainable=False, name="moving")
        model.built = True
        compile_model(model, model.make_optimizer(), 10, 10)
        return model, RunState(RunFolder(tmp_path), model)

    model, run = state()
    model.trained.assign([1.0, 2.0])
    model.moving.assign([3.0, 4.0])
    run.save()
    run.keep_as_best(50.0)
    for restore in ("restore", "restore_best"):
        other, again = state()
        assert getattr(again, restore)() == 0
        np.testing.assert_array_equal(other.trained, [1.0, 2.0])
        np.testing.assert_array_equal(other.moving, [3.0, 4.0])


def test_another_configuration_in_the_same_folder_is_refused(finished_run, data_path):
    _, run_dir = finished_run
    changed = {**TINY_RUN, "kl_weight": 0.5, "tasks": 5}
    done = command("leo_tf.run", data_path=data_path, run_dir=run_dir, **changed)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {run_dir}/config.json: this folder belongs to another configuration: tasks is 4 "
        "there and 5 now; kl_weight is 0.001 there and 0.5 now; choose another --run_dir"
    ]


def test_a_folder_that_cannot_be_written_is_refused(data_path, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    run_dir = tmp_path / "file" / "run"
    done = command("leo_tf.run", data_path=data_path, run_dir=run_dir, **TINY_RUN)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {run_dir}: cannot write here (Not a directory); choose another --run_dir"
    ]


@pytest.mark.parametrize(
    ("start", "steps", "interval", "expected"),
    [
        (0, 3000, 1000, [(0, 1000, 3)]),
        (1000, 3000, 1000, [(1000, 1000, 2)]),
        (1250, 3000, 1000, [(1250, 750, 1), (2000, 1000, 1)]),
        (0, 2500, 1000, [(0, 1000, 2), (2000, 500, 1)]),
        (2100, 2500, 1000, [(2100, 400, 1)]),
        (0, 300, 1000, [(0, 300, 1)]),
        (300, 300, 1000, []),
    ],
)
def test_the_rest_of_a_run_ends_its_epochs_on_validation_steps(start, steps, interval, expected):
    assert segments(start, steps, interval) == expected
