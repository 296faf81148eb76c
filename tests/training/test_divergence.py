"""Trainings that diverge: what is told, what is kept, where they end, and that they stay there."""

import csv
import math
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.model import MetaLoss, MetaModel
from leo_tf.training import fit as fitting
from leo_tf.training.callbacks import TellNonFinite
from leo_tf.training.ending import DivergedRunError, conclude, no_result_if_diverged, remarks
from leo_tf.training.run_folder import RunFolder, write_json
from leo_tf.training.run_state import RunState
from leo_tf.training.validation import Validated

STEPS, INTERVAL = 12, 4
OVERFLOWING = 6e37  # a rate: the sixth step of 6e37 is beyond float32's 3.4e38
SOUND = [(1.0, True), (2.0, True), (3.0, True)]  # what validations find: (score, whether finite)


class Slope(MetaModel):
    """The loss is the height times a number of the data, which is the gradient."""

    def __init__(self, dtype=None):
        super().__init__(MetaLearner(gradient_threshold=1, gradient_norm_threshold=1), dtype=dtype)
        self.height = self.add_weight(shape=(1,), initializer="ones", name="height")
        self.track()
        self.built = True

    def task_loss(self, episodes, noise=None):
        loss = self.height[0] * episodes.query
        return MetaLoss(loss, loss[tf.newaxis], {})


class Script:
    """A validation that finds what it is told to, call by call."""

    name = "val_score"

    def __init__(self, found):
        self.found = iter(found)

    def __call__(self):
        score, finite = next(self.found)
        return Validated(score, score, f"score {score}", finite)


def train(folder, found, numbers=None, rate=0.01, dtype=None, first=False, steps=STEPS, **choice):
    """Train, or go on, as a new process would; returns the `RunState`.

    Args:
      folder: of the run.
      found: what the validations find.
      numbers: {step: number of the data}; 1 elsewhere.
      first: whether there is one before the first step.
    """
    model = Slope(dtype)
    fitting.compile_model(model, keras.optimizers.SGD(rate), steps, INTERVAL)
    state = RunState(RunFolder(folder), model, **choice)
    values = np.ones(STEPS, model.compute_dtype)
    for step, value in (numbers or {}).items():
        values[step - 1] = value

    def dataset(first):
        data = Episodes(values, values, values, values), values
        return tf.data.Dataset.from_tensor_slices(data).skip(first)

    how = {"validate_every": INTERVAL, "validate_first": first}
    fitting.fit(model, state, dataset, Script(found), steps=steps, **how)
    return state


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_that_recovers_is_told_once_and_training_goes_on(tmp_path, capsys, dtype):
    state = train(tmp_path, SOUND, {3: np.nan, 6: np.nan, 7: np.inf}, dtype=dtype)
    out, err = capsys.readouterr()
    line = "step 3: the training loss is not finite; training goes on, it may recover"
    assert err.splitlines() == [line]
    assert [each.split(", ")[-1] for each in out.splitlines()][:2] == [
        "training loss not finite",
        "training loss not finite",
    ]
    height = 1.0
    for step in range(1, STEPS + 1):  # the guard's gradient is the variable itself
        height -= 0.01 * (height if step in (3, 6) else 1)
    np.testing.assert_allclose(state._model.height, [height], rtol=1e-6)
    figures = conclude(state, STEPS)
    assert figures["best_step"] == figures["steps_taken"] == STEPS
    assert (figures["nan_guard_steps"], figures["non_finite_loss_step"]) == (2, 3)
    assert [float(row["nan_guard_steps"]) for row in rows(tmp_path)] == [1, 1, 0]
    assert [math.isfinite(float(row["loss"])) for row in rows(tmp_path)] == [False, False, True]
    assert remarks(figures) == [
        "Training had a loss that was not finite, first at step 3.",
        "Training fell back on the NaN guard in 2 of 12 steps.",
    ]


def test_answers_that_are_not_finite_are_never_the_best(tmp_path, capsys):
    state = train(tmp_path, [(90.0, False), (50.0, True), (99.0, False)])
    out, err = capsys.readouterr()
    assert ["best so far" in line for line in out.splitlines()] == [False, True, False]
    figures = conclude(state, STEPS)
    assert (figures["best_step"], state.best_score, figures["diverged"]) == (8, 50.0, None)
    assert (remarks(figures), err) == ([], "")


@pytest.mark.parametrize("score", [math.nan, math.inf, 0.0])
def test_a_run_without_a_finite_validation_has_no_result(tmp_path, score):
    folder = RunFolder(tmp_path)
    folder.saved_model.mkdir()
    write_json(folder.result, {"test_accuracy": 100.0})  # as version 0.1 left it
    line = "training ended at step 12 of 12 without a finite validation; try lower learning rates"
    for _ in range(2):
        with pytest.raises(DivergedRunError, match=line), no_result_if_diverged(folder):
            conclude(train(tmp_path, [(score, False)] * 3), STEPS)
        assert not folder.result.exists()
        assert not folder.saved_model.exists()


def test_training_ends_at_the_first_validation_of_variables_that_are_not_finite(tmp_path, capsys):
    state = train(tmp_path, SOUND, rate=OVERFLOWING)
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "step 7: the training loss is not finite; training goes on, it may recover",
        "step 8: variables are not finite; training ends",
    ]
    assert ["best so far" in line for line in out.splitlines()] == [True, False]
    figures = conclude(state, STEPS)
    assert (figures["best_step"], figures["steps_taken"]) == (4, 8)
    assert figures["diverged"] == "at step 8 of 12 its variables were not finite"
    assert remarks(figures, "LEO")[0] == (
        "Training of LEO diverged, at step 8 of 12 its variables were not finite; the result is "
        "the model of step 4."
    )
    np.testing.assert_allclose(state._model.height, [-4 * OVERFLOWING], rtol=1e-6)
    # The same command again: nothing is trained, nothing is validated, and the same comes out.
    again = train(tmp_path, [], rate=OVERFLOWING)
    assert conclude(again, STEPS) == figures
    assert capsys.readouterr().err == ""
    assert [int(row["step"]) for row in rows(tmp_path)] == [4, 8]


def test_where_the_last_step_is_the_result_it_is_the_last_one_that_is_finite(tmp_path):
    sound = conclude(train(tmp_path / "a", SOUND[::-1], choose_best=False), STEPS)
    assert (sound["best_step"], sound["diverged"]) == (12, None)
    state = train(tmp_path / "b", SOUND, rate=OVERFLOWING, choose_best=False)
    figures = conclude(state, STEPS)
    assert (figures["best_step"], figures["steps_taken"]) == (4, 8)
    found = [(1.0, True), (3.0, True), (2.0, False)]
    figures = conclude(train(tmp_path / "c", found, choose_best=False), STEPS)
    assert (figures["best_step"], figures["steps_taken"]) == (8, 12)
    assert figures["diverged"] == "at step 12 its answers were not finite"


def test_a_run_stopped_among_steps_that_are_not_finite_ends_where_it_would_have(
    tmp_path, capsys, monkeypatch
):
    """Stopped after step 3, where the guard has acted, and after step 7, of infinite variables."""
    monkeypatch.setattr(fitting, "STEPS_PER_CALL", 1)
    whole = conclude(train(tmp_path / "whole", SOUND, {2: np.nan}, OVERFLOWING), STEPS)
    told, plain = capsys.readouterr().err, TellNonFinite.on_train_batch_end
    stops = [3, 7]

    def interrupted(self, batch, logs=None):
        plain(self, batch, logs)
        if self.run.step in stops:
            stops.remove(self.run.step)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TellNonFinite, "on_train_batch_end", interrupted)
    for stop, found in ((3, []), (7, SOUND[:1])):
        with pytest.raises(fitting.InterruptedRunError, match=f"stopped at step {stop} of 12"):
            train(tmp_path / "parts", found, {2: np.nan}, OVERFLOWING)
    state = train(tmp_path / "parts", SOUND[1:], {2: np.nan}, OVERFLOWING)
    assert (whole["nan_guard_steps"], whole["non_finite_loss_step"]) == (1, 2)
    assert conclude(state, STEPS) == whole | {"train_steps_per_second": state.steps_per_second}
    assert capsys.readouterr().err == told
    found = {int(row["step"]): row["val_score"] for row in rows(tmp_path / "parts")}
    assert found == {3: "", 4: "1.0", 7: "", 8: "2.0"}


def test_variables_that_are_not_finite_from_the_start_are_not_trained(tmp_path):
    model = Slope()
    fitting.compile_model(model, keras.optimizers.SGD(0.1), STEPS, INTERVAL)
    model.height.assign([np.inf])
    state = RunState(RunFolder(tmp_path), model)
    fitting.fit(model, state, None, Script([]), steps=STEPS, validate_every=INTERVAL)
    with pytest.raises(DivergedRunError, match="at step 0 of 12"):
        conclude(state, STEPS)


def test_a_best_model_that_was_deleted_is_missed_and_no_divergence(tmp_path):
    state = train(tmp_path, SOUND)
    for path in (tmp_path / "best").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="best: the best model, of step 12, is gone") as caught:
        conclude(state, STEPS)
    assert not isinstance(caught.value, DivergedRunError)


def test_the_model_before_its_first_step_may_be_the_best(tmp_path, capsys):
    state = train(tmp_path, [(4.0, True), *SOUND], first=True)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "step 0: meta-validation score 4.0 (best so far)"
    assert second.startswith("step 4: meta-validation score 1.0, training loss")
    assert [(row["step"], row["val_score"]) for row in rows(tmp_path)] == [
        ("0", "4.0"),
        ("4", "1.0"),
        ("8", "2.0"),
        ("12", "3.0"),
    ]
    figures = conclude(state, STEPS)
    assert (figures["best_step"], figures["steps_taken"], state.best_score) == (0, 12, 4.0)
    np.testing.assert_array_equal(state._model.height, [1.0])
    # The same command again: nothing is validated, and the same comes out.
    again = train(tmp_path, [], first=True)
    assert conclude(again, STEPS) == figures
    np.testing.assert_array_equal(again._model.height, [1.0])


@pytest.mark.parametrize("lost", [False, True])
def test_a_first_validation_is_done_once_unless_a_kill_lost_it(tmp_path, monkeypatch, lost):
    """Stopped after it, or killed between writing its row and saving it."""

    class KilledError(Exception):
        pass

    def killed(self, *arguments, **more):
        raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        if lost:
            patch.setattr("leo_tf.training.callbacks.SaveRun.on_train_begin", killed)
        else:
            patch.setattr(TellNonFinite, "on_train_batch_end", killed)
        train(tmp_path, [(4.0, True)], first=True)
    assert [row["step"] for row in rows(tmp_path)] == ["0"]
    state = train(tmp_path, [(4.0, True), *SOUND] if lost else SOUND, first=True)
    assert [row["val_score"] for row in rows(tmp_path)] == ["4.0", "1.0", "2.0", "3.0"]
    assert [row["epoch"] for row in rows(tmp_path)] == ["", "0", "1", "2"]
    assert conclude(state, STEPS)["best_step"] == 0


def test_a_run_of_no_steps_ends_with_the_model_as_it_is_made(tmp_path):
    for _ in range(2):
        state = train(tmp_path, [(5.0, True)], steps=0, choose_best=False)
        figures = conclude(state, 0)
        assert (figures["best_step"], figures["steps_taken"], state.best_score) == (0, 0, 5.0)
        assert figures["diverged"] is None
        np.testing.assert_array_equal(state._model.height, [1.0])
    longer = train(tmp_path, SOUND, choose_best=False)
    assert conclude(longer, STEPS)["best_step"] == STEPS
    with pytest.raises(DivergedRunError, match="training ended at step 0 of 0 without a finite"):
        conclude(train(tmp_path / "other", [(5.0, False)], steps=0), 0)
