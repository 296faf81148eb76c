"""Checkpoints that are missing or another run's are told by name, and never restored."""

import shutil

import numpy as np
import pytest

from leo_tf.config import make_config
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.model import MetaModel
from leo_tf.training.claims import claim
from leo_tf.training.fit import compile_model
from leo_tf.training.run_folder import RunFolder
from leo_tf.training.run_parts import check_checkpoints
from leo_tf.training.run_state import RunState

CONFIG = make_config(dataset="tiny", way=3, steps=400, validate_every=100)
INTERVAL = 100


def open_run(folder, size=2, choose_best=True):
    """Return a model of one variable and its `RunState` in a folder."""
    model = MetaModel(MetaLearner())
    model.weight = model.add_weight(shape=(size,), name="weight")
    model.built = True
    compile_model(model, model.make_optimizer(), 10, 10)
    return model, RunState(folder, model, choose_best, INTERVAL)


def at(model, state, step, score=None):
    """Take a run to a step at which its variable is the step; validate and save it."""
    model.optimizer.iterations.assign(step)
    model.weight.assign(np.full(model.weight.shape, step))
    if score is not None:
        state.keep_as_best(score)
    state.save()


def run(path, scores, size=2, choose_best=True):
    """Make a run with {step: score, or None where it was not the best} in a new folder."""
    folder = RunFolder(path)
    claim(folder, CONFIG)
    model, state = open_run(folder, size, choose_best)
    for step, score in scores.items():
        at(model, state, step, score)
    return folder


def refused(folder):
    with pytest.raises(ValueError) as caught:
        check_checkpoints(folder, CONFIG)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("choose another --run_dir")
    return str(caught.value)


@pytest.mark.parametrize("part", ["checkpoints", "best"])
def test_another_run_s_checkpoints_are_named(tmp_path, part):
    ours = run(tmp_path / "ours", {0: None, 100: 1.0, 200: 2.0})
    theirs = run(tmp_path / "theirs", {0: None, 100: 5.0, 200: 6.0})
    check_checkpoints(ours, CONFIG)
    shutil.rmtree(ours.path / part)
    shutil.copytree(theirs.path / part, ours.path / part)
    assert f"ours/{part}/step-" in refused(ours)
    with pytest.raises(ValueError, match="is sound, but of another run"):
        state = open_run(ours)[1]
        state.restore()
        state.restore_best()


def test_the_same_model_of_another_part_of_the_run_is_named(tmp_path):
    ours = run(tmp_path / "ours", {0: None, 100: 1.0})
    model, state = open_run(ours.of("generator"))
    at(model, state, 300, 9.0)
    shutil.rmtree(ours.best)
    shutil.copytree(ours.of("generator").best, ours.best)
    assert "ours/best/step-300: is sound, but of another run" in refused(ours)


def test_checkpoints_with_and_without_a_mark_are_of_two_runs(tmp_path):
    """One run is of an older version, which left no mark."""
    old = RunFolder(tmp_path / "old")
    at(*open_run(old), 100, 1.0)
    ours = run(tmp_path / "ours", {0: None, 100: 1.0})
    shutil.copytree(old.best, ours.best, dirs_exist_ok=True)
    assert "ours/best/step-100: is sound, but of another run" in refused(ours)
    shutil.rmtree(old.best)
    marked = run(tmp_path / "marked", {100: 1.0})
    shutil.copytree(marked.best, old.best)
    with pytest.raises(ValueError, match="best/step-100: is sound, but of another run"):
        open_run(old)[1].restore_best()


def test_a_best_model_of_step_0_is_restored_and_missed_like_any_other(tmp_path):
    folder = run(tmp_path / "run", {0: 3.0, 100: None})
    model, state = open_run(folder)
    state.restore()
    model.optimizer.iterations.assign(200)
    model.weight.assign([9.0, 9.0])
    state.keep_as_best(4.0)  # and was killed before it saved that
    model, state = open_run(folder)
    check_checkpoints(folder, CONFIG)
    assert (state.restore(), state.has_best, state.restore_best()) == (100, True, 0)
    np.testing.assert_array_equal(model.weight, [0.0, 0.0])
    (folder.best / "step-0.index").unlink()
    assert refused(folder).startswith(f"{folder.best}: lacks step-0, which is the best model by")


@pytest.mark.parametrize("gone", ["best", "best/step-200.index"])
def test_a_best_model_that_is_gone_is_named(tmp_path, gone):
    folder = run(tmp_path / "run", {0: None, 100: 1.0, 200: 2.0, 300: None})
    path = folder.path / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    line = refused(folder)
    assert line.startswith(f"{folder.best}: lacks step-200, which is the best model by {folder}/")


def test_another_model_s_variables_are_not_called_damaged(tmp_path, capsys):
    """As an older version's run with other embeddings has them, whose folder does not tell."""
    old = RunFolder(tmp_path / "old")
    at(*open_run(old, size=3), 100, 1.0)
    with pytest.raises(ValueError) as caught:
        open_run(old, size=2)[1].restore()
    said = f"{old.checkpoints}/step-100: is sound, but of another model: model/0 is [3] there and"
    assert str(caught.value).startswith(said)
    assert capsys.readouterr().err == ""


def test_the_best_is_the_one_that_the_run_tells_of(tmp_path):
    """Not a newer one, which a killed run left and the run has yet to find."""
    folder = run(tmp_path / "run", {0: None, 100: 1.0})
    model, state = open_run(folder)
    state.restore()
    model.optimizer.iterations.assign(200)
    model.weight.assign([9.0, 9.0])
    state.keep_as_best(2.0)
    model, state = open_run(folder)
    check_checkpoints(folder, CONFIG)
    assert (state.restore(), state.best_step, state.restore_best()) == (100, 100, 100)
    np.testing.assert_array_equal(model.weight, [100.0, 100.0])


@pytest.mark.parametrize("choose_best", [True, False])
def test_the_last_step_of_a_shorter_run_is_no_validation_of_a_longer_one(tmp_path, choose_best):
    """Made longer again and again: each time the last step, between validations, was the best."""
    folder = run(tmp_path / "run", {0: None, 100: 1.0, 150: 2.0}, choose_best=choose_best)
    for last in (150, 160, 170, 180):
        state = open_run(folder)[1]
        assert (state.begin(last), state.best_step, state.best_score) == (last, last, 2.0)
        for _ in range(2):  # as after a kill, too
            model, state = open_run(folder)
            assert state.begin(last + 10) == last
            np.testing.assert_array_equal(model.weight, [last, last])
            assert (state.best_step, state.best_score) == (100, 1.0)
            check_checkpoints(folder, CONFIG)
        assert state.restore_best() == 100
        np.testing.assert_array_equal(model.weight, [100.0, 100.0])
        at(model, state, last + 10, 2.0)
    assert (open_run(folder)[1].begin(190), state.best_step) == (190, 190)
