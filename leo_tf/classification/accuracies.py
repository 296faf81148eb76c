"""Accuracies of episodes, and their mean with its interval; needs no TensorFlow."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Outcomes(NamedTuple):
    """What a classifier made of each episode."""

    accuracies: np.ndarray  # [episodes], in [0, 1]
    finite: np.ndarray  # bool [episodes]: what was fitted to the support gives finite scores


class Accuracy(NamedTuple):
    """Mean accuracy over episodes."""

    mean: float  # percent
    ci95: float | None  # percent, half the width of the 95 % interval of the mean; None of one
    episodes: int
    not_finite: int = 0  # episodes that the classifier had no finite answer to

    def __str__(self) -> str:
        text = f"{self.mean:.2f} ± {'-' if self.ci95 is None else format(self.ci95, '.2f')} %"
        if self.not_finite:
            text += f" ({self.not_finite} of {self.episodes} episodes not finite)"
        return text


def summarise(outcomes: Outcomes | Sequence[float] | np.ndarray) -> Accuracy:
    """Mean and 95 % interval (normal approximation, over episodes) of accuracies in [0, 1].

    An accuracy that is not finite is that of an episode without a finite answer: 0.

    Raises:
      ValueError: of no episodes there is no mean.
    """
    if not isinstance(outcomes, Outcomes):
        outcomes = Outcomes(np.asarray(outcomes, np.float64), np.isfinite(outcomes))
    if not len(outcomes.accuracies):
        raise ValueError("no episodes were evaluated: there is no accuracy; ask for at least 1")
    finite = outcomes.finite & np.isfinite(outcomes.accuracies)
    accuracies = np.where(np.isfinite(outcomes.accuracies), outcomes.accuracies, 0.0)
    accuracies, count = accuracies.astype(np.float64), len(accuracies)
    ci95 = 196 * accuracies.std(ddof=1) / math.sqrt(count) if count > 1 else None
    return Accuracy(100 * accuracies.mean(), ci95, count, int((~finite).sum()))
