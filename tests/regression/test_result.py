"""Figures of a regression in which some tasks are not finite, against those that are."""

import json

import numpy as np
import pytest

from leo_tf.regression.evaluation import EnergyValidation, ErrorValidation, Sampler
from leo_tf.regression.model import LEORegressor
from leo_tf.regression.result import measure, table
from leo_tf.regression.stream import held_out_tasks
from leo_tf.regression.task_files import write_predictions
from leo_tf.training.run_folder import write_json

TASKS, SAMPLES = 20, 4
STAGES = ("before", "latent", "adapted")


@pytest.fixture(scope="module")
def tasks():
    return held_out_tasks(0, TASKS, "test", grid=20)


@pytest.fixture
def predictions(tasks):
    """The truth, and a noise that differs from sample to sample."""
    noise = np.random.default_rng(0).normal(0, 0.3, (SAMPLES, *tasks.query_labels.shape))
    return {name: (tasks.query_labels + noise).astype(np.float32) for name in STAGES}


def figures(predictions, maml, tasks):
    told = {"test_episodes": TASKS, "test_samples": SAMPLES, "tasks_seen": 1, "maml_tasks_seen": 1}
    return measure(predictions, maml, tasks) | told


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_means_of_tasks_that_are_not_finite_do_not_exist_and_the_rest_counts_them_as_wrong(
    tasks, predictions, value, tmp_path
):
    maml = predictions["before"][:1]
    sound = figures(predictions, maml, tasks)
    final = predictions["adapted"].copy()
    final[1, 3, 7, 0] = final[2, 5] = value
    found = figures({**predictions, "adapted": final}, maml, tasks)
    names = ("adapted_squared_error", "ratio_to_limit", "ratio_to_reference_limit")
    for name in (*names, "negative_log_likelihood"):
        assert sound[name] > 0
        assert found[name] is None
    assert found["not_finite_tasks"] == {"before": 0, "latent": 0, "adapted": 2, "maml": 0}
    assert (found["nan_tasks"], sound["nan_tasks"]) == (2, 0)
    assert found["latent_squared_error"] == sound["latent_squared_error"]
    assert found["adapted_median_squared_error"] >= sound["adapted_median_squared_error"]
    kept = [i for i in range(TASKS) if i not in (3, 5)]
    for share in (50, 90):  # the points of two tasks of twenty are outside
        some = type(tasks)(*(part[kept] for part in tasks))
        inside = measure(
            {name: p[:, kept] for name, p in predictions.items()}, maml[:, kept], some
        )[f"coverage_{share}"]
        assert found[f"coverage_{share}"] == pytest.approx(inside * len(kept) / TASKS)
    write_json(tmp_path / "result.json", found)
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    assert json.loads(text) == found
    lines = table(found).splitlines()
    row = next(line for line in lines if line.startswith("LEO, this run"))
    assert row.split()[3] == "-"
    assert lines[-1] == (
        "LEO, this run: 2 of 20 tasks not finite, so that no mean exists; in the other figures "
        "they count as wrong."
    )
    assert not any("nan" in line or "inf" in line for line in lines[:-1])


def test_nothing_finite_at_all(tasks, predictions):
    nothing = {name: np.full_like(p, np.nan) for name, p in predictions.items()}
    found = figures(nothing, nothing["before"][:1], tasks)
    assert (found["nan_tasks"], found["coverage_90"]) == (TASKS, 0)
    assert found["adapted_median_squared_error"] is None
    assert found["both_families"] in (None, 0)
    assert found["limit_squared_error"] > 0
    assert "nan" not in table(found)


def test_errors_beyond_float32_are_figures_still(tasks, predictions):
    predictions["adapted"] = predictions["adapted"] + np.float32(1e25)
    found = figures(predictions, predictions["before"][:1], tasks)
    assert found["adapted_squared_error"] == pytest.approx(1e50, rel=1e-5)
    assert found["nan_tasks"] == 0
    assert "1.000e+50" in table(found)


@pytest.mark.parametrize(("value", "finite"), [(0.5, True), (np.nan, False), (1e30, False)])
def test_validation_tells_what_is_not_finite(tasks, predictions, monkeypatch, value, finite):
    """1e30 is finite, but the float32 score of it is not; the error, in float64, is."""
    predictions["adapted"][:, 2] = value
    monkeypatch.setattr(Sampler, "predictions", lambda *_: predictions)
    found = EnergyValidation(LEORegressor(network_hidden=2, num_latents=2), tasks)()
    assert found.finite == finite
    assert ("(1 of 20 tasks not finite)" in found.text) == (not finite)
    assert np.isfinite(found.score) == finite
    monkeypatch.setattr(
        "leo_tf.regression.evaluation.maml_predictions", lambda *_: predictions["adapted"][:1]
    )
    found = ErrorValidation(None, tasks)()
    assert found.finite == np.isfinite(value)
    assert found.value == -found.score


def test_predictions_that_are_not_finite_are_counted(predictions, tmp_path):
    final = predictions["adapted"]
    path = tmp_path / "out.npz"
    assert write_predictions(path, final) == f"{path}: 4 samples of 20 tasks at 20 points each"
    final[0, 3, 0, 0] = np.inf
    said = write_predictions(path, final)
    assert said == f"{path}: 4 samples of 20 tasks at 20 points each; 1 of 20 tasks not finite"
