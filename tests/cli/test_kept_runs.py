"""Runs and SavedModels that the first version left: every later version evaluates them.

`kept_runs/<experiment>/finished` is a run's folder as version 0.1.0 wrote it, `half` the same
stopped by a kill: the classifier after 200 of 400 steps, the regressor within its generator. Only
the TensorBoard summaries are left out. All are of stream 1 of random numbers: those half-way would
go on with others.
"""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import assert_refused, command
from tiny import TINY_REGRESSION, TINY_RUN

import leo_tf

KEPT = Path(__file__).parents[1] / "kept_runs"
FLAGS = json.loads((KEPT / "flags.json").read_text())  # of every command of version 0.1.0
COMMANDS = {"classification": TINY_RUN, "regression": TINY_REGRESSION}
# Of the first query of the tasks below, four samples, by version 0.1.0.
KEPT_PREDICTIONS = [0.5113893, 1.1000676, 1.7965550, 0.1560407]


def kept_result(experiment):
    return json.loads((KEPT / experiment / "finished" / "result.json").read_text())


def figures(result):
    """Return a result's numbers but for the rate, which is the machine's."""
    numbers = {name: value for name, value in result.items() if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if name != "train_steps_per_second"}


@pytest.mark.long
@pytest.mark.parametrize("experiment", COMMANDS)
def test_a_finished_run_ends_in_its_result(experiment, data_path, tmp_path):
    """The same command again gives the same figures."""
    run_dir = tmp_path / "run"
    shutil.copytree(KEPT / experiment / "finished", run_dir)
    done = command("leo_tf.run", **COMMANDS[experiment], run_dir=run_dir, data_path=data_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"resuming {run_dir}" in done.stdout
    found = json.loads((run_dir / "result.json").read_text())
    expected = kept_result(experiment)
    assert found.items() >= {n: v for n, v in expected.items() if isinstance(v, str)}.items()
    for name, value in figures(expected).items():
        assert found[name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("experiment", COMMANDS)
def test_a_run_half_way_in_another_stream_is_refused(quick, experiment, data_path, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(KEPT / experiment / "half", run_dir)
    before = {p: p.is_file() and p.read_bytes() for p in run_dir.rglob("*")}
    refused = quick("leo_tf.run", **COMMANDS[experiment], run_dir=run_dir, data_path=data_path)
    said = f"{run_dir / 'config.json'}: half-way in stream 1 of random numbers, this version draws"
    assert_refused(refused, 1, said, f"python -m leo_tf.evaluate --run_dir={run_dir}")
    assert before == {p: p.is_file() and p.read_bytes() for p in run_dir.rglob("*")}


def test_a_kept_classifier_is_evaluated(data_path, tmp_path):
    settings = {name: TINY_RUN[name] for name in ("dataset", "way", "shot", "seed")}
    done = command(
        "leo_tf.evaluate",
        saved_model=KEPT / "classification" / "finished" / "saved_model",
        episodes=TINY_RUN["test_episodes"],
        json=tmp_path / "result.json",
        data_path=data_path,
        **settings,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "result.json").read_text())
    expected = kept_result("classification")
    for name in ("test_accuracy", "ci95", "nearest_centroid_accuracy", "queries"):
        assert found[name] == pytest.approx(expected[name], rel=1e-4), name


def test_a_kept_regressor_predicts(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(2, 3, 1)) for name in ("support_x", "support_y", "query_x")}
    np.savez(tmp_path / "tasks.npz", **arrays)
    done = command(
        "leo_tf.evaluate",
        saved_model=KEPT / "regression" / "finished" / "saved_model",
        tasks=tmp_path / "tasks.npz",
        predictions=tmp_path / "out.npz",
        samples=4,
    )
    assert (done.returncode, done.stderr) == (0, "")
    predictions = np.load(tmp_path / "out.npz")["predictions"]
    assert predictions.shape == (4, 2, 3, 1)
    np.testing.assert_allclose(predictions[:, 0, 0, 0], KEPT_PREDICTIONS, rtol=1e-3)


@pytest.mark.long
def test_the_best_model_of_a_run_half_way_is_evaluated(data_path, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(KEPT / "classification" / "half", run_dir)
    done = command("leo_tf.evaluate", run_dir=run_dir, data_path=data_path, episodes=100)
    assert (done.returncode, done.stderr) == (0, "")
    first, title, *_ = done.stdout.splitlines()
    assert first == f"{run_dir}: not finished; its best model is of step 200"
    assert title.startswith("tiny (center), 3-way 2-shot, test: 100 episodes, 10 queries")
    (accuracy,) = (row.split()[-3] for row in done.stdout.splitlines() if "this run" in row)
    assert 60 < float(accuracy) < 90


@pytest.mark.parametrize("module", FLAGS)
def test_every_flag_of_the_first_version_is_still_there(module, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(module).cli([module, "--help"])
    lines = capsys.readouterr().out.splitlines()
    there = {line.split()[0] for line in lines if line.startswith("  --")}
    assert there >= {f"--{name}" for name in FLAGS[module]}


def test_every_public_name_of_the_first_version_is_still_there():
    assert set(leo_tf.__all__) >= {"LEO", "LEOClassifier", "LEORegressor", "MAML", "__version__"}
