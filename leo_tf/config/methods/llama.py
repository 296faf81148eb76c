"""Settings of LLAMA."""

import dataclasses

from leo_tf.config.methods.gradient_learner import GradientLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class LLAMASettings(GradientLearner):
    """LLAMA (Grant et al. 2018): MAML with a Laplace approximation at the adapted parameters."""

    curvature_weight: float = setting(
        1e-6,
        "weight of the log determinant of the curvature, eta",
        search=(1e-8, 1e-2, "log"),
    )
    prior_precision: float = setting(
        1.0,
        "precision of the prior of a task's parameters, tau, added to the curvature",
        above=0,
        search=(1e-3, 100.0, "log"),
    )
