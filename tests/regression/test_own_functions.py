"""leo_tf.run on functions of one's own: what is drawn of them, what is said, a whole run."""

import json

import numpy as np
import pytest
from commands import assert_refused, command
from tiny import TINY_REGRESSION

from data_pipeline.function_files import Functions
from leo_tf.config import make_config
from leo_tf.regression.model import LEORegressor
from leo_tf.regression.result import measure, table
from leo_tf.regression.stream import held_out_functions, training_steps

FUNCTIONS, POINTS, SUPPORT = 6, 9, 5
OWN = {**TINY_REGRESSION, "experiment": "regression", "dataset": "own"}


def numbered(functions=FUNCTIONS, points=POINTS):
    """Functions whose y is 100 times the number of the function, and x that of the point."""
    x = np.tile(np.arange(points, dtype=np.float32)[:, np.newaxis], (functions, 1, 1))
    y = x + 100 * np.arange(functions, dtype=np.float32)[:, np.newaxis, np.newaxis]
    return Functions("numbered", x, y)


@pytest.fixture(scope="module")
def steps():
    """Return a function that draws one training step's episodes."""
    model = LEORegressor(network_hidden=2, num_latents=2)

    def drawn(start=0, **settings):
        experiment = make_config("regression", dataset="own", tasks=40, **settings).experiment
        data = training_steps(model, experiment, start=start, functions=numbered())
        return [field.numpy() for field in next(iter(data))[0]]

    return drawn


def assert_tasks_of_one_function(x, y):
    """Check for [tasks, n, 1] whose points are distinct, and those of a single function each."""
    functions = y - x
    np.testing.assert_array_equal(functions, np.repeat(functions[:, :1], x.shape[1], axis=1))
    assert all(len(set(points)) == x.shape[1] for points in x[..., 0])


def test_a_task_has_distinct_points_of_one_function(steps):
    support, support_y, query, query_y = steps(queries=3)
    assert (support.shape, query.shape) == ((40, SUPPORT, 1), (40, 3, 1))
    x, y = np.concatenate([support, query], axis=1), np.concatenate([support_y, query_y], axis=1)
    assert_tasks_of_one_function(x, y)
    assert set((support_y - support).ravel()) == {100 * i for i in range(FUNCTIONS)}
    for points in (support, query):  # any point may be either
        assert set(points.ravel()) == set(range(POINTS))
    assert len({tuple(points) for points in support[..., 0]}) > 30


def test_queries_are_fewer_where_there_are_fewer_points(steps):
    support, _, query, _ = steps(queries=32)
    assert query.shape == (40, POINTS - SUPPORT, 1)
    for points in np.concatenate([support, query], axis=1)[..., 0]:
        assert sorted(points) == list(range(POINTS))


def test_a_step_is_a_function_of_seed_and_step(steps):
    third = steps(start=2)
    for found, expected in zip(steps(start=2), third, strict=True):
        np.testing.assert_array_equal(found, expected)
    for other in (steps(start=3), steps(start=2, seed=1)):
        assert np.any(other[0] != third[0])
        assert np.any(other[1] - other[0] != third[1] - third[0])


def test_every_function_is_a_held_out_task_once():
    tasks = held_out_functions(numbered(), 0, 1000, "test", points=SUPPORT)
    x = np.concatenate([tasks.support, tasks.query], axis=1)
    y = np.concatenate([tasks.support_labels, tasks.query_labels], axis=1)
    np.testing.assert_array_equal(np.sort(x, axis=1), numbered().x)
    np.testing.assert_array_equal(np.sort(y, axis=1), numbered().y)
    assert tasks.support.shape == (FUNCTIONS, SUPPORT, 1)
    again = held_out_functions(numbered(), 0, 1000, "test", points=SUPPORT)
    np.testing.assert_array_equal(again.support, tasks.support)
    for other in (
        held_out_functions(numbered(), 1, 1000, "test", points=SUPPORT),
        held_out_functions(numbered(), 0, 1000, "validation", points=SUPPORT),
    ):
        assert np.any(other.support != tasks.support)


def test_some_functions_have_the_support_that_they_have_among_all():
    whole = held_out_functions(numbered(), 0, 1000, "test", points=SUPPORT)
    some = held_out_functions(numbered(), 0, 3, "test", points=SUPPORT)
    taken = (some.support_labels - some.support)[:, 0, 0].astype(int) // 100
    assert len(set(taken)) == 3
    np.testing.assert_array_equal(some.support, whole.support[taken])
    np.testing.assert_array_equal(some.query_labels, whole.query_labels[taken])


def test_figures_that_need_a_known_distribution_do_not_exist():
    tasks = held_out_functions(numbered(), 0, 1000, "test", points=SUPPORT)
    shifts = np.array([-1, 0, 2], np.float32)[:, np.newaxis, np.newaxis, np.newaxis]
    exact = tasks.query_labels + shifts
    predictions = {"before": exact + 3, "latent": exact + 1, "adapted": exact}
    found = measure(predictions, tasks.query_labels[np.newaxis] + 2, tasks, is_drawn=False)
    assert found["adapted_squared_error"] == pytest.approx(1 / 9)
    assert found["before_squared_error"] == pytest.approx(100 / 9)
    assert found["maml_median_squared_error"] == pytest.approx(4)
    assert (found["coverage_50"], found["coverage_90"]) == (100, 100)
    assert not {"limit_squared_error", "ratio_to_limit", "negative_log_likelihood"} & found.keys()
    assert not {"both_families", "ambiguous_tasks", "ratio_to_reference_limit"} & found.keys()
    told = {"dataset": "own", "test_episodes": 6, "test_samples": 3, "tasks_seen": 1}
    lines = table({**found, **told, "maml_tasks_seen": 1}).splitlines()
    assert lines[0] == "own: 6 tasks, 3 sampled networks each"
    assert lines[-1].startswith("No limit, likelihood or families: ")
    assert not any("exact" in line or "nats" in line or "ambiguous" in line for line in lines)


def write(folder, functions=12, points=20, seed=0):
    """Write parabolas with a little noise as a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for split in ("train", "val", "test"):
        x = rng.uniform(-3, 3, (functions, points, 1))
        a, b = rng.uniform(-1, 1, (2, functions, 1, 1))
        np.savez(folder / f"{split}.npz", x=x, y=a * x**2 + b + rng.normal(0, 0.1, x.shape))


def test_what_is_not_there_is_said_before_tensorflow_loads(quick, tmp_path):
    flags = {"experiment": "regression", "data_path": tmp_path, "run_dir": tmp_path / "run"}
    done = quick("leo_tf.run", dataset="own", **flags)
    assert_refused(done, 2, f"no folder {tmp_path}/own of functions; make it, with train.npz, val")
    done = quick("leo_tf.run", dataset="own/a", **flags)
    assert_refused(done, 2, "dataset must be the name of a folder, not 'own/a'")
    write(tmp_path / "own", points=5)
    done = quick("leo_tf.run", dataset="own", **flags)
    assert_refused(done, 1, f"{tmp_path}/own/train.npz: its functions have 5 points, --points=5 to")
    (tmp_path / "own" / "val.npz").unlink()
    done = quick("leo_tf.run", dataset="own", points=4, **flags)
    assert_refused(done, 1, f"{tmp_path}/own/val.npz: no such file; give an .npz of x, y")
    done = quick("leo_tf.run", dataset="own", data_path=tmp_path)
    assert_refused(done, 2, "own: has no crop center", "give --experiment=regression")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_run_learns_tests_predicts_and_knows_its_data(tmp_path):
    write(tmp_path / "own")
    where = {"data_path": tmp_path, "run_dir": tmp_path / "run"}
    done = command("leo_tf.run", **OWN, **where)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["dataset"], result["test_episodes"]) == ("own", 12)
    assert 0 < result["adapted_squared_error"] < 40
    assert "own: 12 tasks, 6 sampled networks each" in done.stdout.splitlines()

    tasks, out = tmp_path / "tasks.npz", tmp_path / "out.npz"
    x = np.ones((2, 4, 1))
    np.savez(tasks, support_x=x, support_y=x, query_x=x)
    done = command(
        "leo_tf.evaluate", run_dir=where["run_dir"], tasks=tasks, predictions=out, samples=3
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load(out)["predictions"].shape == (3, 2, 4, 1)
    done = command("leo_tf.figures", run_dir=where["run_dir"])
    assert_refused(done, 2, "no finished run of sines_and_lines")

    write(tmp_path / "own", seed=1)
    done = command("leo_tf.run", **OWN, **where)
    assert_refused(done, 1, "belongs to other data: those of train, val, test are not what they")
