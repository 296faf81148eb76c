"""Settings of ridge regression as a base learner."""

import dataclasses

from leo_tf.config.methods.embedding import EmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class RidgeSettings(EmbeddingLearner):
    """R2-D2 (Bertinetto et al. 2019) on a learned embedding."""

    penalty_init: float = setting(
        1.0,
        "initial value of lambda, the learned penalty of ridge regression",
        above=0,
        search=(1e-2, 1e2, "log"),
    )
    alpha_init: float = setting(
        10.0,
        "initial value of alpha, the learned factor on the regression's values",
        above=0,
        search=(1.0, 100.0, "log"),
    )
