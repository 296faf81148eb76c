"""leo_tf.run on sines_and_lines, killed and resumed, and what is done with its SavedModel."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from commands import command, interrupt
from tiny import TINY_REGRESSION

# What a user of the SavedModel does, with TensorFlow and NumPy alone.
PLAIN_PREDICTION = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
tasks, expected = np.load(sys.argv[2]), np.load(sys.argv[3])["predictions"]
x, y, query = (tasks[name].astype(np.float32) for name in ("support_x", "support_y", "query_x"))
params = model.adapt(x, y, 9)
assert params.shape == (9, 5, 8 + 8 + 64 + 8 + 8 + 1), params.shape
found = model.predict(params, query).numpy()
np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
np.testing.assert_allclose(model.predict(model.adapt(x[:2], y[:2], 3), query[:2]),
                           expected[:3, :2], rtol=1e-3, atol=1e-4)
assert not [name for name in sys.modules if name.split(".")[0] in ("leo_tf", "data_pipeline")]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run killed while it trains the generator, started again: its process and its folder."""
    run_dir = tmp_path_factory.mktemp("regression") / "run"
    saved = run_dir / "generator" / "checkpoints" / "step-20.index"
    killed = interrupt("leo_tf.run", signal.SIGKILL, saved, run_dir=run_dir, **TINY_REGRESSION)
    assert killed[0] == -signal.SIGKILL
    done = command("leo_tf.run", run_dir=run_dir, **TINY_REGRESSION)
    assert (done.returncode, done.stderr) == (0, "")
    return done, run_dir


@pytest.fixture(scope="module")
def task_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tasks") / "tasks.npz"
    rng = np.random.default_rng(0)
    arrays = {"support_x": (5, 3, 1), "support_y": (5, 3, 1), "query_x": (5, 11, 1)}
    np.savez(path, **{name: rng.normal(size=shape) for name, shape in arrays.items()})
    return path


@pytest.mark.long
def test_a_killed_run_goes_on_and_ends_in_the_table(run):
    done, run_dir = run
    lines = done.stdout.splitlines()
    assert f"resuming {run_dir / 'maml'} at step 100" in lines
    resumed = [line for line in lines if line.startswith(f"resuming {run_dir / 'generator'} ")]
    assert len(resumed) == 1
    assert sum(line.startswith("LEO step 20: meta-validation energy score") for line in lines) == 1
    result = json.loads((run_dir / "result.json").read_text())
    assert "MAML saw 400 tasks in training, LEO 400." in lines
    leo = next(line for line in lines if line.startswith("LEO, this run"))
    assert leo.split()[3:] == [
        f"{result['adapted_squared_error']:.4f}",
        f"{result['adapted_median_squared_error']:.4f}",
    ]
    assert lines[-2:] == [f"SavedModel: {run_dir}/saved_model", f"result: {run_dir}/result.json"]


@pytest.mark.long
def test_result_has_every_figure(run):
    result = json.loads((run[1] / "result.json").read_text())
    assert (result["tasks_seen"], result["maml_tasks_seen"]) == (400, 400)
    for name in ("adapted", "before", "latent", "maml"):
        assert 1 < result[f"{name}_squared_error"] < 40
        assert result[f"{name}_median_squared_error"] < result[f"{name}_squared_error"]
    assert 0.005 < result["limit_squared_error"] < 1
    ratio = result["adapted_squared_error"] / result["limit_squared_error"]
    assert result["ratio_to_limit"] == pytest.approx(ratio)
    assert result["ratio_to_reference_limit"] == pytest.approx(
        result["adapted_squared_error"] / 0.068
    )
    assert 0 <= result["coverage_50"] <= result["coverage_90"] <= 100
    assert result["negative_log_likelihood"] > 0
    assert (result["nan_tasks"], result["test_episodes"]) == (0, 40)


@pytest.mark.long
def test_every_model_has_its_curves(run):
    for folder, name, steps in (
        ("maml", "val_squared_error", [20, 40, 60, 80, 100]),
        ("generator", "val_energy_score", [20, 40]),
        (".", "val_energy_score", [20]),
    ):
        with (run[1] / folder / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["step"]) for row in rows] == steps
        assert all(np.isfinite(float(row[name])) for row in rows)
        assert list((run[1] / folder / "tensorboard" / "train").glob("events.*"))


@pytest.mark.long
def test_predictions_of_a_file_without_this_project(run, task_file, tmp_path):
    saved_model, out = run[1] / "saved_model", tmp_path / "out.npz"
    done = command(
        "leo_tf.evaluate", saved_model=saved_model, tasks=task_file, predictions=out, samples=9
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load(out)["predictions"].shape == (9, 5, 11, 1)
    plain = [sys.executable, "-c", PLAIN_PREDICTION, str(saved_model), str(task_file), str(out)]
    done = subprocess.run(plain, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"support_x": None}, "has no array support_x; it needs support_x, support_y, query_x"),
        ({"query_x": np.ones((5, 3))}, "query_x must be [tasks, points, values]"),
        ({"support_y": np.ones((5, 4, 1))}, "support_y (5, 4, 1) must agree in tasks and points"),
        ({"query_x": np.full((5, 3, 1), np.nan)}, "query_x holds NaN or infinite values"),
        ({"query_x": np.ones((4, 3, 1))}, "query_x has 4 tasks, support_x 5"),
        ({"query_x": np.array([[["a"]]])}, "query_x must hold numbers"),
    ],
)
def test_bad_arrays_of_tasks_are_refused(task_file, tmp_path, changes, line):
    from leo_tf.regression.task_files import read_tasks

    arrays = {**np.load(task_file), **changes}
    path = tmp_path / "bad.npz"
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(ValueError, match="bad.npz: ") as caught:
        read_tasks(path)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_archives_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    path.write_text("hello")
    (tmp_path / "saved_model.pb").touch()
    flags = {"saved_model": tmp_path, "tasks": path, "predictions": tmp_path / "out.npz"}
    done = command("leo_tf.evaluate", **flags)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {path}: not an .npz file of plain arrays; write one with numpy.savez\n"
    )
    done = command("leo_tf.evaluate", saved_model=tmp_path, tasks=path)
    assert done.returncode == 2
    assert "--tasks and --predictions go together" in done.stderr


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            {"dataset": "sines_and_lines", "way": 3},
            "--dataset=sines_and_lines has no setting way; leave it out",
        ),
        ({"points": 3}, "classification has no setting points; leave it out"),
        ({"dataset": "sines_and_lines", "inner_bound": 0}, "--inner_bound must be above 0"),
        ({"dataset": "sines_and_lines", "preset": "big"}, "--preset must be paper, not 'big'"),
        (
            {"preset": "paper"},
            "--preset=paper has nothing for this method on glyphs at shot 1, only for "
            "miniImageNet at shot 1 or 5; tieredImageNet at shot 1 or 5; sines_and_lines; leave "
            "it out",
        ),
    ],
)
def test_flags_of_the_other_kind_of_run_are_refused(flags, line):
    done = command("leo_tf.run", **flags)
    assert done.returncode == 2
    assert done.stderr == f"error: {line} (--help lists the flags)\n"
