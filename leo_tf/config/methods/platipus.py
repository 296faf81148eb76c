"""Settings of PLATIPUS."""

import dataclasses

from leo_tf.config.methods.gradient_learner import GradientLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class PlatipusSettings(GradientLearner):
    """PLATIPUS, probabilistic MAML (Finn, Xu and Levine 2018), of a softmax classifier."""

    std_init: float = setting(
        0.01,
        "initial standard deviation of all parameters, of q and of p",
        above=0,
        search=(1e-3, 0.1, "log"),
    )
    gamma_init: float = setting(
        0.1,
        "initial value of gamma_q and gamma_p, the learned steps from mu to the means of q and p",
        search=(0.01, 10.0, "log"),
    )
    bound_weight: float = setting(
        1.0,
        "weight of the KL of q from p beside the sum of a task's query losses; 1 is the bound",
        search=(1e-3, 10.0, "log"),
    )
    theta_samples: int = setting(
        10, "draws from p in validation and testing, whose probabilities are averaged", at_least=1
    )
