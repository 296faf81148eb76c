"""Settings of Meta-SGD."""

import dataclasses

from leo_tf.config.methods.gradient_learner import InnerSteps
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class MetaSGDSettings(InnerSteps):
    """Meta-SGD (Li et al. 2017) of a softmax classifier on embeddings, linear by default."""

    learner_units: int = with_default(InnerSteps, "learner_units", 0)
    inner_test_steps: int = with_default(InnerSteps, "inner_test_steps", 5)
    rates_init: float = setting(
        10.0,
        "greatest initial step size of a parameter; they are drawn evenly from a twentieth of it "
        "up to it, and learned",
        above=0,
        search=(0.1, 100.0, "log"),
    )
