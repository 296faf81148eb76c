"""Settings of deep meta-learning, DEML."""

import dataclasses
import math

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.embedding import EmbeddingLearner
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class DEMLSettings(MetaSGDSettings, EmbeddingLearner):
    """Meta-SGD on learned concepts, which also tell base classes apart (Zhou et al. 2018)."""

    embedding_size: int = with_default(EmbeddingLearner, "embedding_size", 128)
    hidden_units: int = with_default(EmbeddingLearner, "hidden_units", 128)
    concept_weight: float = setting(
        1.0,
        "weight of the classification of base examples by their concepts, lambda; 0 for none",
        search=(0.01, 10.0, "log"),
    )
    concept_examples: int = setting(
        192, "examples of base classes that a step classifies", at_least=1
    )
    outer_lr: float = with_default(EmbeddingLearner, "outer_lr", 0.001)

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Ask for base examples beside the episodes."""
        if not self.concept_weight:
            return sizes
        return sizes._replace(base=math.ceil(self.concept_examples / sizes.tasks))
