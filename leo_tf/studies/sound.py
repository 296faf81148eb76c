"""Whether the figures of a run are figures: what another version or a damaged disk left is told."""

import math
import os
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from leo_tf.classification.accuracies import summarise
from leo_tf.config import Config
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.config.methods import BASELINE

# Of result.json: {name: (least, most)}; what may be missing, or null, is in the second of a pair.
Bounds = Mapping[str, tuple[float, float]]
ANY, MANY = (-math.inf, math.inf), (0.0, math.inf)
PERCENT = (0.0, 100.0)
TRAINED: Bounds = {"train_steps_per_second": MANY, "steps_taken": MANY, "nan_guard_steps": MANY}
CLASSIFICATION: tuple[Bounds, Bounds] = (
    {"test_accuracy": PERCENT, "test_episodes": (1, math.inf), "queries": (1, math.inf)},
    {
        **{"ci95": MANY, "not_finite_episodes": MANY, "queries_together": MANY, **TRAINED},
        **{f"{BASELINE}_accuracy": PERCENT, f"{BASELINE}_ci95": MANY},
    },
)
ERRORS = ("before", "latent", "adapted", "maml")
REGRESSION: tuple[Bounds, Bounds] = (
    {"test_episodes": (1, math.inf), "test_samples": (1, math.inf)},
    {
        **{f"{name}_squared_error": MANY for name in (*ERRORS, "limit")},
        **{f"{name}_median_squared_error": MANY for name in (*ERRORS, "limit")},
        "ratio_to_limit": MANY,
        "negative_log_likelihood": ANY,
        "coverage_50": PERCENT,
        "coverage_90": PERCENT,
        "both_families": PERCENT,
        "ambiguous_tasks": MANY,
        "nan_tasks": MANY,
        **TRAINED,
    },
)
MUST_BE_THERE = ("adapted_squared_error", "maml_squared_error")  # null, if they are not finite
COST: Bounds = {"parameters": MANY, "train_seconds": MANY, "adapt_microseconds": MANY}
TEXTS = ("split", "class_split", "trained_on", "diverged")
# Of early stopping, which a run by the published protocol tells of.
STOPPED: tuple[Bounds, Bounds] = (
    {"best_step": MANY, "steps_taken": MANY, "val_accuracy": PERCENT},
    {"val_ci95": MANY, **TRAINED},
)
SAME = frozenset(  # settings that a result repeats
    ("method", "dataset", "crop", "way", "shot", "seed", "points", "train_on_val", "train_way")
    + ("train_shot", "centre", "generator_steps", "test_samples", "protocol")
)


def check_result(
    path: str | os.PathLike, result: Mapping[str, Any], config: Config, remedy: str
) -> None:
    """Check a result.json against what it must hold, and against the run's configuration.

    Args:
      path: its file.
      result: what is in it.
      config: the run's.
      remedy: what to do about a fault.

    Raises:
      ValueError: one line that names the file, the value and the remedy.
    """
    told = config.flat()
    is_classification = config.experiment.kind == "classification"
    needed, others = CLASSIFICATION if is_classification else REGRESSION
    missing = [*needed] if is_classification else [*needed, *MUST_BE_THERE]
    _check_there(path, result, missing, remedy)
    for name, bounds in needed.items():
        _check_number(path, name, result[name], bounds, remedy)
    _check_optional(path, result, others, remedy)
    for name in TEXTS:
        if not isinstance(result.get(name, ""), str | None):
            raise ValueError(f"{path}: {name} is {_short(result[name])}, not a text; {remedy}")
    # A regression may have fewer functions to test on than it asked for.
    for name in [*SAME, "test_episodes"] if is_classification else SAME:
        if name in result and name in told and result[name] != told[name]:
            raise ValueError(
                f"{path}: {name} is {_short(result[name])}, config.json has {_short(told[name])}; "
                f"{remedy}"
            )
    for name in ("maml", "generator"):
        _check_optional(path, _object(path, result, name, remedy), TRAINED, remedy)
    if EARLY_STOPPING in config.experiment.models:
        _check_there(path, result, [EARLY_STOPPING, "steps_taken"], remedy)
        _check_number(path, "steps_taken", result["steps_taken"], MANY, remedy)
        _check_stopped(path, _object(path, result, EARLY_STOPPING, remedy), remedy)
    elif EARLY_STOPPING in result:
        raise ValueError(f"{path}: has {EARLY_STOPPING}, of a run in one stage; {remedy}")


def check_origin(path: str | os.PathLike, origin: Mapping[str, Any], remedy: str) -> None:
    """Check what a config.json tells of its data; raises as `check_result` does."""
    data = origin.get("data", {})
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: data of its origin are {_short(data)}, no object; {remedy}")


def check_cost(path: str | os.PathLike, cost: Mapping[str, Any], remedy: str) -> None:
    """Check what a study measured beside a run; raises as `check_result` does."""
    _check_optional(path, cost, COST, remedy)


def checked_episodes(
    path: str | os.PathLike, found: np.ndarray, result: Mapping[str, Any], remedy: str
) -> np.ndarray:
    """Return the accuracies of a run's test episodes, float64 [episodes].

    Args:
      path: their file.
      found: what is in it.
      result: that of the run, whose accuracy is their mean.
      remedy: what to do about a fault.

    Raises:
      ValueError: one line, if they are no accuracies, or another test's.
    """
    if found.ndim != 1 or found.dtype.kind != "f" or not len(found):
        raise ValueError(
            f"{path}: holds {found.dtype} {[*found.shape]}, not an accuracy a test episode; "
            f"{remedy}"
        )
    accuracies = found.astype(np.float64)
    outside = accuracies[~((accuracies >= 0) & (accuracies <= 1))]
    if len(outside):
        raise ValueError(f"{path}: {outside[0]} is not an accuracy from 0 to 1; {remedy}")
    mean = summarise(accuracies).mean
    count = result["test_episodes"]
    if len(accuracies) != count or abs(mean - result["test_accuracy"]) > 0.001:
        raise ValueError(
            f"{path}: {len(accuracies)} episodes of mean {mean:.3f} % are not those of "
            f"result.json, {count} of {result['test_accuracy']:.3f} %; {remedy}"
        )
    return accuracies


def _check_stopped(path, stopped, remedy):
    """Check what a result tells of early stopping."""
    needed, others = STOPPED
    _check_there(path, stopped, [*needed, "val_ci95", "folder"], remedy)
    for name, bounds in needed.items():
        _check_number(path, name, stopped[name], bounds, remedy)
    _check_optional(path, stopped, others, remedy)
    if not isinstance(stopped["folder"], str):
        raise ValueError(f"{path}: folder is {_short(stopped['folder'])}, not a text; {remedy}")


def _check_there(path, values, names, remedy):
    for name in names:
        if name not in values:
            raise ValueError(f"{path}: has no {name}, another version wrote it; {remedy}")


def _object(path, result, name, remedy):
    """Return an object within a result, empty if it is not there."""
    found = result.get(name, {})
    if not isinstance(found, Mapping):
        raise ValueError(f"{path}: {name} is {_short(found)}, not an object; {remedy}")
    return found


def _check_optional(path, values, bounds, remedy):
    for name, of_name in bounds.items():
        if values.get(name) is not None:
            _check_number(path, name, values[name], of_name, remedy)


def _check_number(path, name, value, bounds, remedy):
    """Raise a ValueError if a value is not a finite number within bounds."""
    least, most = bounds
    try:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        sound = is_number and math.isfinite(value) and least <= value <= most
    except OverflowError:  # a whole number that no float holds
        sound = False
    if not sound:
        what = {ANY: "a number", MANY: "a number from 0"}.get(bounds, f"from {least:g} to {most:g}")
        raise ValueError(f"{path}: {name} is {_short(value)}, not {what}; {remedy}")


def _short(value):
    return reprlib.repr(value)
