"""Settings of prototypical networks."""

import dataclasses

from leo_tf.config.methods.embedding import ScaledEmbeddingLearner


@dataclasses.dataclass(frozen=True)
class PrototypicalSettings(ScaledEmbeddingLearner):
    """Prototypical networks (Snell et al. 2017) on a learned embedding."""
