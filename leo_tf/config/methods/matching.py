"""Settings of matching networks."""

import dataclasses

from leo_tf.config.methods.embedding import ScaledEmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class MatchingSettings(ScaledEmbeddingLearner):
    """Matching networks (Vinyals et al. 2016) on a learned embedding."""

    full_context: bool = setting(
        False, "embed examples and queries in the context of the support set, by LSTMs"
    )
    read_steps: int = setting(
        3, "steps P in which a query reads the support set, with full_context", at_least=1
    )
