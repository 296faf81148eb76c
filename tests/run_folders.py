"""Folders of runs as `leo_tf.run` leaves them, written without any training."""

import csv
import json
import math

import numpy as np

from leo_tf.config import make_config
from leo_tf.training.run_folder import FORMAT, STREAM

PROVENANCE = {
    "versions": {"leo_tf": "0.1.0"},
    "commit": "0123456789abcdef",
    "modified": False,
    "cpu": "a processor",
    "cores": 2,
}


def write_config(folder, data="e1", method="leo", settings=None, **experiment):
    """Write config.json of a run; returns its configuration, flat."""
    kind = "regression" if experiment.get("dataset") == "sines_and_lines" else "classification"
    own = method.endswith(".py")
    config = make_config(kind, None if own else method, **experiment, **(settings or {}))
    flat = config.flat() | ({"method": method} if own else {})
    if own:
        flat = {name: flat[name] for name in vars(config.experiment)} | {
            "experiment": kind,
            "method": method,
        }
    origin = {"run": "0" * 16, "data": {"test": data}}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, "stream": STREAM, "origin": origin, **flat})
    (folder / "config.json").write_text(text, encoding="utf-8")
    return flat


def write_run(folder, accuracies, keep=True, curve=(), result=None, **settings):
    """Write a finished classification that was tested with some accuracy in each episode.

    Args:
      folder: the run's.
      accuracies: [episodes], in [0, 1].
      keep: whether test_episodes.npy is there.
      curve: pairs of step and validation accuracy for metrics.csv.
      result: what replaces figures of result.json; a value of ... takes one away.
      **settings: see `write_config`.
    """
    accuracies = np.asarray(accuracies, np.float32)
    flat = write_config(folder, **{"test_episodes": len(accuracies), **settings})
    exact = [float(each) for each in accuracies]
    mean = sum(exact) / len(exact)
    variance = sum((each - mean) ** 2 for each in exact) / max(1, len(exact) - 1)
    figures = {
        "split": "test",
        **{name: flat[name] for name in ("method", "dataset", "crop", "way", "shot", "seed")},
        "steps": flat["steps"],
        "steps_taken": flat["steps"],
        "train_on_val": flat["train_on_val"],
        "best_step": curve[-1][0] if curve else flat["steps"],
        "train_steps_per_second": 50.0,
        "test_accuracy": 100 * mean,
        "ci95": 196 * math.sqrt(variance / len(exact)) if len(exact) > 1 else None,
        "test_episodes": len(exact),
        "not_finite_episodes": 0,
        "queries": 600 - flat["shot"],
        "provenance": PROVENANCE,
        **(result or {}),
    }
    text = json.dumps({name: value for name, value in figures.items() if value is not ...})
    (folder / "result.json").write_text(text, encoding="utf-8")
    if keep:
        np.save(folder / "test_episodes.npy", accuracies)
    if curve:
        write_metrics(folder, curve)


def write_metrics(folder, curve, column="val_accuracy"):
    """Write a metrics.csv of pairs of step and value."""
    with open(folder / "metrics.csv", "w", newline="", encoding="utf-8") as file:
        rows = [[i, step, value, 0] for i, (step, value) in enumerate(curve)]
        csv.writer(file).writerows([["epoch", "step", column, "nan_guard_steps"], *rows])


def write_regression(folder, errors, curve=(), **settings):
    """Write a finished regression of sines and lines with some squared errors, {model: mean}."""
    flat = write_config(folder, dataset="sines_and_lines", **settings)
    figures = {name: flat[name] for name in ("method", "dataset", "seed", "steps", "points")}
    for name, error in errors.items():
        figures |= {f"{name}_squared_error": error, f"{name}_median_squared_error": error}
    figures |= {"test_episodes": 4000, "test_samples": flat["test_samples"], "coverage_50": 50.0}
    figures |= {"coverage_90": 90.0, "negative_log_likelihood": 0.5, "both_families": None}
    figures |= {"nan_tasks": 0, "train_steps_per_second": 20.0, "best_step": flat["steps"]}
    text = json.dumps({**figures, "provenance": PROVENANCE})
    (folder / "result.json").write_text(text, encoding="utf-8")
    if curve:
        write_metrics(folder, curve, "val_energy_score")
