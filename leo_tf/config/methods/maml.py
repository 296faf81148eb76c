"""Settings of model-agnostic meta-learning."""

import dataclasses

from leo_tf.config.methods.gradient_learner import GradientLearner


@dataclasses.dataclass(frozen=True)
class MAMLSettings(GradientLearner):
    """MAML (Finn et al. 2017) of a softmax classifier on embeddings."""
