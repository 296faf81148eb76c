"""Settings of fine-tuning without meta-learning."""

import dataclasses

from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class FineTuningSettings(Method):
    """Gradient descent on each support set, from zero."""

    descent_steps: int = setting(
        100, "steps S of gradient descent on the support", at_least=1, search=(1, 1000, "log")
    )
    descent_rate: float = setting(10.0, "rate of these steps", above=0, search=(1e-1, 1e2, "log"))
