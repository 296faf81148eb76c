"""leo_tf.run from data to SavedModel, and what is done with the SavedModel afterwards."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import arguments, command, environment
from tiny import TINY_RUN

from data_pipeline.episodes import EpisodeSampler
from data_pipeline.streams import stream_seed
from leo_tf.classification.evaluation import TASKS_DRAWN, Evaluator, summarise
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid

# What a user of the SavedModel does, with TensorFlow and NumPy alone.
PLAIN_EVALUATION = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
episodes = np.load(sys.argv[2])
accuracies = []
for support, query in zip(episodes["support"], episodes["query"]):
    weights = model.adapt(support[np.newaxis])
    way, queries, dim = query.shape
    logits = model.classify(weights, query.reshape(1, way * queries, dim)).numpy()[0]
    right = logits.argmax(axis=-1) == np.repeat(range(way), queries)
    accuracies.append(right.mean())
for tasks, way, shot, queries in [(1, 2, 1, 1), (3, 7, 4, 2), (2, 3, 2, 5)]:
    weights = model.adapt(np.ones([tasks, way, shot, dim], np.float32))
    assert weights.shape == (tasks, way, dim)
    logits = model.classify(weights, np.ones([tasks, queries, dim], np.float32))
    assert logits.shape == (tasks, queries, way)
assert not [name for name in sys.modules if name.split(".")[0] in ("leo_tf", "data_pipeline")]
print(100 * np.mean(accuracies))
"""


@pytest.fixture(scope="module")
def result(finished_run):
    return json.loads((finished_run[1] / "result.json").read_text())


def test_result_has_the_settings_and_the_figures(result):
    for name in ("dataset", "way", "shot", "seed", "steps", "test_episodes"):
        assert result[name] == TINY_RUN[name]
    assert (result["crop"], result["train_on_val"], result["queries"]) == ("center", False, 10)
    assert 50 < result["test_accuracy"] <= 100
    assert 50 < result["val_accuracy"] <= 100
    assert 0.1 < result["ci95"] < 3
    assert result["train_steps_per_second"] > 1
    assert result["best_step"] in (100, 200, 300, 400)


def test_nearest_centroid_is_measured_on_the_same_episodes(result, tiny):
    evaluator = Evaluator(tiny["test"], 3, 2, 10, 500, TINY_RUN["seed"])
    expected = summarise(evaluator.accuracies(Classifier(nearest_centroid)))
    assert result["nearest_centroid_accuracy"] == pytest.approx(expected.mean, abs=1e-6)


def test_output_ends_in_the_table(finished_run, result):
    process, run_dir = finished_run
    lines = process.stdout.splitlines()
    assert "  kl_weight                      0.001" in lines
    assert process.stderr == ""
    assert sum(": meta-validation " in line for line in lines) == 4
    title = "tiny (center), 3-way 2-shot, test: 500 episodes, 10 queries per class"
    leo, baseline = lines[lines.index(title) + 2 : lines.index(title) + 4]
    assert leo.split()[-3:] == [f"{result['test_accuracy']:.2f}", "±", f"{result['ci95']:.2f}"]
    gap = result["test_accuracy"] - result["nearest_centroid_accuracy"]
    assert baseline.split()[-1] == f"{gap:+.2f}"
    assert lines[-2:] == [f"SavedModel: {run_dir}/saved_model", f"result: {run_dir}/result.json"]


def test_configuration_is_saved_in_full(finished_run):
    saved = json.loads((finished_run[1] / "config.json").read_text())
    assert saved.items() >= TINY_RUN.items()
    assert (saved["kl_weight"], saved["dropout_rate"], saved["crop"]) == (1e-3, 0.5, "center")


def test_metrics_hold_a_row_per_validation(finished_run, result):
    with (finished_run[1] / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [100, 200, 300, 400]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    accuracies = [float(row["val_accuracy"]) for row in rows]
    best = int(np.argmax(accuracies))
    assert result["best_step"] == int(rows[best]["step"])
    assert result["val_accuracy"] == pytest.approx(accuracies[best])
    assert 50 < float(rows[-1]["accuracy"]) <= 100
    terms = {"query_loss", "kl", "encoder_penalty", "l2_penalty", "orthogonality_penalty"}
    norms = {"gradient_norm/decoder/kernel", "gradient_norm/relation_network/kernel_1"}
    assert rows[0].keys() >= terms | norms | {"accuracy", "inner_lr", "finetuning_lr"}


def test_tensorboard_has_the_same_curves(finished_run):
    (path,) = (finished_run[1] / "tensorboard" / "train").glob("events.*")
    tags = {
        value.tag: event.step
        for record in tf.data.TFRecordDataset(str(path))
        for event in [tf.compat.v1.Event.FromString(record.numpy())]
        for value in event.summary.value
    }
    names = ("loss", "accuracy", "kl", "inner_lr", "gradient_norm/encoder/kernel")
    assert {f"epoch_{name}" for name in names} <= tags.keys()
    assert tags["epoch_loss"] == 3


def test_saved_model_gives_the_reported_accuracy_without_this_project(
    finished_run, result, tiny, tmp_path
):
    """Raw embeddings of the run's test episodes, scaled at will, in another process."""
    embeddings = tiny["test"]
    sampler = EpisodeSampler(embeddings, 3, 2, 10, TASKS_DRAWN)
    support, query = [], []
    for step in range(3):
        seed = stream_seed(f"{embeddings.name}/evaluation", TINY_RUN["seed"], step)
        classes, *images = (part.numpy() for part in sampler.indices(seed))
        rows = [embeddings.starts[classes][..., np.newaxis] + part for part in images]
        support.append(3 * embeddings.embeddings[rows[0]])
        query.append(0.5 * embeddings.embeddings[rows[1]])
    episodes = tmp_path / "episodes.npz"
    parts = {"support": np.concatenate(support)[:500], "query": np.concatenate(query)[:500]}
    np.savez(episodes, **parts)
    command = [sys.executable, "-c", PLAIN_EVALUATION, str(finished_run[1] / "saved_model")]
    done = subprocess.run([*command, str(episodes)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(result["test_accuracy"], abs=1e-4)


def test_evaluate_prints_and_writes_the_same_accuracy(finished_run, result, data_path, tmp_path):
    process, run_dir = finished_run
    done = command(
        "leo_tf.evaluate",
        saved_model=run_dir / "saved_model",
        data_path=data_path,
        dataset="tiny",
        way=3,
        shot=2,
        episodes=500,
        seed=TINY_RUN["seed"],
        json=tmp_path / "evaluated.json",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() in process.stdout
    written = json.loads((tmp_path / "evaluated.json").read_text())
    assert written["split"] == "test"
    for name in written.keys() - {"split"}:
        assert written[name] == result[name], name


def test_a_finished_run_is_tested_again_but_not_trained(finished_run, result, data_path):
    _, run_dir = finished_run
    saved = {p.name: p.stat().st_mtime_ns for p in (run_dir / "checkpoints").iterdir()}
    done = command("leo_tf.run", data_path=data_path, run_dir=run_dir, **TINY_RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"resuming {run_dir} at step 400" in done.stdout
    assert "meta-validation" not in done.stdout
    assert json.loads((run_dir / "result.json").read_text()) == result
    assert saved == {p.name: p.stat().st_mtime_ns for p in (run_dir / "checkpoints").iterdir()}


@pytest.mark.long
def test_training_on_val_too_ends_with_its_last_step(data_path, tmp_path):
    """In the default run folder, with an interval that does not divide the steps."""
    settings = {
        **TINY_RUN,
        "way": 4,
        "shot": 1,
        "steps": 75,
        "validate_every": 50,
        "test_episodes": 100,
        "train_on_val": True,
    }
    process = subprocess.run(
        arguments("leo_tf.run", data_path=data_path, **settings),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "train: EmbeddingSet(tiny/center/train+val: 14 classes" in process.stdout
    assert "best so far" not in process.stdout
    run_dir = tmp_path / "runs" / "tiny_4way_1shot" / "seed3"
    result = json.loads((run_dir / "result.json").read_text())
    assert (result["train_on_val"], result["best_step"], result["steps"]) == (True, 75, 75)
    assert result["queries"] == 11
    with (run_dir / "metrics.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [50, 75]


def test_a_method_without_training_is_tested_and_exported(data_path, tiny, tmp_path):
    settings = {"dataset": "tiny", "way": 3, "shot": 2, "test_episodes": 200, "seed": 3}
    run_dir = tmp_path / "run"
    done = command(
        "leo_tf.run", data_path=data_path, run_dir=run_dir, method="nearest_centroid", **settings
    )
    assert (done.returncode, done.stderr) == (0, "")
    evaluator = Evaluator(tiny["test"], 3, 2, 10, 200, 3)
    expected = summarise(evaluator.accuracies(Classifier(nearest_centroid)))
    result = json.loads((run_dir / "result.json").read_text())
    assert result["test_accuracy"] == pytest.approx(expected.mean, abs=1e-6)
    assert result["nearest_centroid_accuracy"] == result["test_accuracy"]
    assert (result["method"], result["steps"]) == ("nearest_centroid", 0)
    assert result["train_steps_per_second"] is None
    rows = [line for line in done.stdout.splitlines() if "±" in line]
    assert rows[0].split(",")[0] == "nearest centroid"
    assert len(rows) == 2  # no second row of the same, and the note
    saved_model = run_dir / "saved_model"
    flags = {**settings, "episodes": settings.pop("test_episodes")}
    del flags["test_episodes"]
    again = command("leo_tf.evaluate", saved_model=saved_model, data_path=data_path, **flags)
    assert again.stdout.splitlines()[:4] == done.stdout.splitlines()[-7:-3]
