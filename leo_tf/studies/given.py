"""A trial that is given out: it can be judged wherever its settings arrive, without its study."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optuna
from optuna.trial import TrialState

from leo_tf.studies import trials
from leo_tf.studies.entries import TOLD
from leo_tf.studies.storage import quiet

Pruned = optuna.TrialPruned  # what an objective raises when its report has said so
Report = Callable[[int, float], bool]  # of a step and its accuracy; returns whether to end there
# Of the number of a trial, its settings, and a report. Returns {"val_accuracy": percent}, and what
# else the record of the trial shall have.
Objective = Callable[[int, dict[str, Any], Report], Mapping[str, Any]]


class Given(NamedTuple):
    """A trial, and what it takes to judge it."""

    number: int  # in its search
    settings: dict[str, Any]
    others: tuple[dict[int, float], ...]  # validations of the trials that were complete by then
    prune: bool  # whether it ends where it is below their median

    def __str__(self) -> str:
        return f"trial {self.number}"


def judged(given: Given, objective: Objective) -> dict[str, Any]:
    """Have a trial's settings judged; returns its entry of the record, see `trials.read`.

    Args:
      given: the trial.
      objective: judges settings. A ValueError, FileNotFoundError or MemoryError is the fault of the
        settings, and the trial has failed; any other exception goes through.
    """
    trial, told = _trial(given), {}

    def report(step, value):
        told[step] = value
        trial.report(value, step)
        return trial.should_prune()

    began, found = time.perf_counter(), {}
    state, value = trials.COMPLETE, None
    try:
        found = dict(objective(given.number, given.settings, report))
        value = found.pop("val_accuracy")
        if not math.isfinite(value):
            raise ValueError(f"its validation accuracy is {value}")
    except Pruned:
        state = trials.PRUNED
    except (ValueError, FileNotFoundError, MemoryError) as error:
        state, value, found = trials.FAILED, None, {"fault": str(error) or type(error).__name__}
    seconds = round(time.perf_counter() - began, 1)
    validations = {TOLD: {str(step): told[step] for step in sorted(told)}} if told else {}
    return {
        **{"trial": given.number, "settings": given.settings, "state": state},
        **{"val_accuracy": value, **validations, **found, "seconds": seconds},
    }


def failed(given: Given, fault: str) -> dict[str, Any]:
    """Return the entry of a trial that nobody could judge."""
    entry = {"trial": given.number, "settings": given.settings, "state": trials.FAILED}
    return {**entry, "val_accuracy": None, "fault": fault}


def _trial(given):
    """Return a trial of a study in memory, which Optuna compares with the others."""
    quiet()
    pruner = optuna.pruners.MedianPruner() if given.prune else optuna.pruners.NopPruner()
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for validations in given.others:
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.COMPLETE, value=0.0, intermediate_values=dict(validations)
            )
        )
    return study.ask()
