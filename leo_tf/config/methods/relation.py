"""Settings of relation networks."""

import dataclasses

from leo_tf.config.methods.embedding import EmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class RelationSettings(EmbeddingLearner):
    """Relation networks (Sung et al. 2018) on a learned embedding."""

    relation_units: int = setting(
        64, "units of the relation module's hidden layer", at_least=1, search=(16, 512, "log")
    )
    mean_of_support: bool = setting(
        False,
        "mean of a class's embeddings, not their sum, where test shots are not those of training",
    )
    cross_entropy: bool = setting(
        False, "train by the softmax cross-entropy of the scores, not by their squared errors"
    )
