"""Settings of Qiao et al.'s parameters predicted from activations."""

import dataclasses

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.embedding import ScaledEmbeddingLearner
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting, with_default

BATCHES = 2  # a step, each with draws of its own; a processor's two cores take one each


@dataclasses.dataclass(frozen=True)
class QiaoSettings(MetaLearner):
    """A map from activations to the weights of their class (Qiao et al. 2018)."""

    scale_init: float = with_default(ScaledEmbeddingLearner, "scale_init", 10.0)
    two_layers: bool = setting(
        False, "whether phi has a ReLU between two linear maps, instead of being one"
    )
    mean_probability: float = setting(
        0.3,
        "probability that a base class is represented by its mean, not by one activation",
        below=1,
        search=(0.0, 0.9),
    )
    phi_penalty_weight: float = setting(
        1e-6, "weight of the L2 penalty on phi", search=(1e-8, 1e-4, "log")
    )
    max_response: bool = setting(
        False,
        "whether a new class's score is the greatest of those of its examples, not that of their "
        "mean",
    )
    base_examples: int = setting(256, "images of base classes that a step classifies", at_least=2)
    base_activations: int = setting(
        1024, "further ones, of which the activations of classes are drawn", at_least=2
    )
    outer_lr: float = with_default(MetaLearner, "outer_lr", 0.001)

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Ask for base examples instead of episodes."""
        base = self.batch_activations + -(-self.base_examples // BATCHES)
        return sizes._replace(way=0, tasks=BATCHES, base=base)

    @property
    def batch_activations(self) -> int:
        """How many of a batch's base examples are there to be drawn from."""
        return -(-self.base_activations // BATCHES)
