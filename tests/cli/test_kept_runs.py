"""Runs and SavedModels that the first version left: every later version reads and continues them.

`kept_runs/<experiment>/finished` is a run's folder as version 0.1.0 wrote it, `half` the same
stopped by a kill: the classifier after 200 of 400 steps, the regressor within its generator. Only
the TensorBoard summaries are left out.
"""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import command
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


def run(experiment, run_dir, data_path):
    """Give the kept run's command for a folder; returns its process."""
    flags = {**COMMANDS[experiment], "run_dir": run_dir}
    return command("leo_tf.run", **flags, data_path=data_path)


@pytest.mark.long
@pytest.mark.parametrize("experiment", ["classification", "regression"])
@pytest.mark.parametrize("state", ["finished", "half"])
def test_a_kept_run_ends_in_its_result(experiment, state, data_path, tmp_path):
    """Half-way or finished: what is left of the command is done, and gives the same figures."""
    run_dir = tmp_path / "run"
    shutil.copytree(KEPT / experiment / state, run_dir)
    done = run(experiment, run_dir, data_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"resuming {run_dir}" in done.stdout
    found = json.loads((run_dir / "result.json").read_text())
    expected = kept_result(experiment)
    # Another processor rounds otherwise, and training carries that on.
    tolerance = {"rel": 1e-4} if state == "finished" else {"rel": 0.02, "abs": 1.0}
    assert found.items() >= {n: v for n, v in expected.items() if isinstance(v, str)}.items()
    for name, value in figures(expected).items():
        assert found[name] == pytest.approx(value, **tolerance), name


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
def test_a_half_finished_run_of_an_older_stream_is_refused_and_its_best_model_evaluated(
    data_path, tmp_path
):
    run_dir = tmp_path / "run"
    shutil.copytree(KEPT / "classification" / "half", run_dir)
    path = run_dir / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "stream": 0}))
    before = {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}
    refused = run("classification", run_dir, data_path)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"error: {path}: half-way in stream 0 of random numbers")
    assert before == {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}
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
