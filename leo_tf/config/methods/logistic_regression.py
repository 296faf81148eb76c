"""Settings of logistic regression."""

import dataclasses

from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class LogisticRegressionSettings(Method):
    """Logistic regression on each support set."""

    inverse_penalty: float = setting(
        10.0,
        "C of logistic regression: the weight of the support's losses beside |W|^2 / 2",
        above=0,
        below=1e6,
        search=(1e-1, 1e4, "log"),
    )
