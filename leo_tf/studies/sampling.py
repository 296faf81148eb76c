"""How a search draws: by Optuna's samplers, each trial a function of the seed and its number."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from leo_tf.studies.entries import numbers
from leo_tf.studies.ranges import Range

_SAMPLERS = {"tpe": TPESampler, "random": RandomSampler}


def distributions(ranges: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """Return what Optuna draws settings from."""
    return {name: _distribution(each) for name, each in ranges.items()}


def _distribution(found):
    if found.choices:
        return CategoricalDistribution(found.choices)
    low, high = found.search[:2]
    if found.kind is int:
        return IntDistribution(int(low), int(high), log=found.is_log)
    return FloatDistribution(low, high, log=found.is_log)


class SeededSampler(BaseSampler):
    """One of Optuna's samplers, which begins anew for each trial and each setting.

    So a search that was stopped draws what it would have drawn; by TPE, as far as the trials before
    are the same, which side by side they need not be.

    Args:
      name: tpe or random.
      seed: of the search.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._make, self._seed, self._number = _SAMPLERS[name], seed, 0

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Note the number of the trial that is to be drawn."""
        self._number = numbers(study.get_trials(deepcopy=False))[trial.number]

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        return self._sampler().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw it."""
        return self._sampler().sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a setting by itself."""
        sampler = self._sampler(param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _sampler(self, setting=""):
        """Return a sampler for the trial, and for a setting by itself."""
        entropy = [self._seed, self._number, zlib.crc32(setting.encode())]
        return self._make(seed=int(np.random.SeedSequence(entropy).generate_state(1)[0]))
