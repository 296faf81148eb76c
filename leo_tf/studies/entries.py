"""Trials of an Optuna study as entries of a search's record, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from leo_tf.studies import trials
from leo_tf.studies.ranges import Range

# Attributes of a trial in a study.
NUMBER = "number"  # in the search: a trial that does again what was stopped has its number
SETTINGS = "settings"  # where they are not those drawn: a start may lie outside of its range
TOLD = "validations"  # of an entry: {step: accuracy}
FOUND = "found"  # what its entry has besides
ENTRY = "entry"  # of a trial that was taken in from the record

STATES = {
    trials.COMPLETE: TrialState.COMPLETE,
    trials.PRUNED: TrialState.PRUNED,
    trials.FAILED: TrialState.FAIL,
}
_NAMES = {state: name for name, state in STATES.items()}


def numbers(study: Sequence[FrozenTrial]) -> list[int]:
    """Return the number in the search of each trial of a study, in their order.

    One that nobody has given a number has the least that is free.
    """
    taken = {each.user_attrs[NUMBER] for each in study if NUMBER in each.user_attrs}
    found, free = [], 0
    for each in study:
        if NUMBER not in each.user_attrs:
            while free in taken:
                free += 1
            taken.add(free)
        found.append(each.user_attrs.get(NUMBER, free))
    return found


def is_done(trial: FrozenTrial) -> bool:
    """Return whether a trial has ended."""
    return trial.state in _NAMES


def settings(trial: Trial | FrozenTrial, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Return the settings of a trial, of those that are searched."""
    if SETTINGS in trial.user_attrs:
        return trial.user_attrs[SETTINGS]
    return {name: each.value(trial.params[name]) for name, each in ranges.items()}


def entry(number: int, trial: FrozenTrial, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Return a trial that is done as the record has it, see `trials.read`."""
    if ENTRY in trial.user_attrs:
        return trial.user_attrs[ENTRY]
    told = {str(step): value for step, value in sorted(trial.intermediate_values.items())}
    return {
        "trial": number,
        "settings": settings(trial, ranges),
        "state": _NAMES[trial.state],
        "val_accuracy": trial.value if trial.state == TrialState.COMPLETE else None,
        **({TOLD: told} if told else {}),
        **trial.user_attrs.get(FOUND, {}),
    }


def taken_in(
    entry: Mapping[str, Any],
    ranges: Mapping[str, Range],
    distributions: dict[str, BaseDistribution],
) -> FrozenTrial:
    """Return a trial of the record as one of a study, which its sampler learns from."""
    of_all = {name: entry["settings"].get(name, each.start) for name, each in ranges.items()}
    return create_trial(
        state=STATES[entry["state"]],
        value=entry["val_accuracy"],
        params={name: each.nearest(of_all[name]) for name, each in ranges.items()},
        distributions=distributions,
        user_attrs={NUMBER: entry["trial"], ENTRY: dict(entry)},
        intermediate_values={int(step): value for step, value in entry.get(TOLD, {}).items()},
    )
