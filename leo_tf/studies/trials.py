"""The record of a method's trials: which settings were tried, and how each was judged."""

import math
from collections.abc import Mapping
from typing import Any

from leo_tf.training.run_folder import read_json, write_json

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"  # what became of a trial


def best(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the trial with the greatest validation accuracy, the first of equals.

    Args:
      record: what `read` returns.

    Raises:
      ValueError: no trial ended in a finite model.
    """
    return best_trial(record)["settings"]


def best_trial(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return that trial, as the record has it; raises what `best` does."""
    ended = [each for each in record["trials"] if each["val_accuracy"] is not None]
    if not ended:
        raise ValueError(f"no trial of {record['method']} ended in a finite model")
    return max(ended, key=lambda each: each["val_accuracy"])


def read(path: Any, method: str) -> dict[str, Any]:
    """Read the record of a method's trials.

    Returns:
      {"method", "search": what was searched, by which all its trials are comparable; {} in records
      of version 0.1, "trials": [{"trial": number, "settings": those that are searched, "state",
      "val_accuracy": in percent, None unless complete, "seconds", ...}]}.

    Raises:
      ValueError: one line, if it is damaged.
    """
    if not path.is_file():
        return {"method": method, "search": {}, "trials": []}
    remedy = "remove it to try settings anew"
    record = read_json(path, remedy)
    try:
        trials = [_whole(number, each) for number, each in enumerate(record["trials"])]
        search = dict(record.get("search", {}))
        return {"method": record["method"], "search": search, "trials": trials}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise ValueError(f"{path}: is no record of trials; {remedy}") from None


def _whole(number, trial):
    """Return a trial with what records of version 0.1 did not tell."""
    accuracy = trial["val_accuracy"]
    state = FAILED if accuracy is None else COMPLETE
    found = {"trial": number, "settings": dict(trial["settings"]), "state": state, **trial}
    known = found["state"] in (COMPLETE, PRUNED, FAILED) and isinstance(found["trial"], int)
    told = {int(step): value for step, value in found.get("validations", {}).items()}
    numbers = [each for each in (*told.values(), found.get("seconds")) if each is not None]
    shown = found["state"] != PRUNED or [*told.values()][-1] is not None
    sound = all(map(_is_number, numbers)) and _is_number(accuracy) == (found["state"] == COMPLETE)
    if not (known and shown and sound):
        raise TypeError
    return found


def _is_number(value):
    return isinstance(value, int | float) and math.isfinite(value)


def write(path: Any, record: Mapping[str, Any]) -> None:
    """Write the record of a method's trials."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def line(trial: Mapping[str, Any]) -> str:
    """Say in a line what became of a trial."""
    if trial["state"] == COMPLETE:
        diverged = f"; diverged, {trial['diverged']}" if trial.get("diverged") else ""
        return f"trial {trial['trial']}: {trial['val_accuracy']:.2f} %{diverged}"
    if trial["state"] == PRUNED:
        *_, (step, accuracy) = trial["validations"].items()
        return f"trial {trial['trial']}: pruned at step {step}, with {accuracy:.2f} %"
    return f"trial {trial['trial']}: failed, {trial.get('fault', 'its model is not finite')}"


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say in what two searches differ, whose trials cannot be compared then; "" if in nothing."""
    return "; ".join(
        f"{name} is {theirs.get(name, 'not there')!r} there and {ours.get(name, 'not there')!r} now"
        for name in {**ours, **theirs}
        if theirs.get(name, ...) != ours.get(name, ...)
    )
