"""Which settings matter in a search."""

import warnings

from optuna import Study
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

ENOUGH = 10  # complete trials
BEST = 5  # that are set apart, at least


def importances(study: Study) -> dict[str, float] | None:
    """Return {setting: share in what makes a trial one of the best}, the greatest first.

    By PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255): how differently a setting is distributed
    in the best trials, a tenth but at least `BEST`, and in all.

    Args:
      study: what a `Ledger` holds.

    Returns:
      None of fewer than `ENOUGH` complete trials.
    """
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < ENOUGH:
        return None
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, BEST / len(complete)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it finds all alike, it says so by equal shares
        found = get_param_importances(
            study, evaluator=evaluator, params=sorted(complete[0].distributions)
        )
    return dict(sorted(found.items(), key=lambda each: -each[1]))
