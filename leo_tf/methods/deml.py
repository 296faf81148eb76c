"""Deep meta-learning, DEML (Zhou, Wu, Li 2018, arXiv 1802.03596), with Meta-SGD as its learner.

Meta-SGD in the space of concepts: a concept network maps an example to what the meta-learned
classifier sees, and is learned together with it, but not adapted in the inner steps. The loss is
the queries' plus lambda times that of the concept discriminator, which tells the classes of further
images from their concepts.

Choices. On fixed embeddings the concept network is a hidden ReLU layer and a linear one, and the
discriminator is linear. The paper takes the further images from an outside data set; here they are
of the base classes, drawn from all their images alike. The learner has Meta-SGD's settings here, a
linear one and five steps by default.
"""

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodesAndBase, EpisodeSizes
from leo_tf.config.methods.deml import DEMLSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.embedding import Embedding
from leo_tf.meta.gradient_classifier import LearnedRates
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Noise
from leo_tf.meta.serialisation import registered
from leo_tf.meta.softmax_learner import Params


@registered
class DEML(LearnedRates):
    """Gradient descent at learned rates on learned concepts.

    Args:
      dim: size of an embedding.
      classes: number of base classes.
      settings: its hyperparameters.
      way: see `GradientClassifier`.
      **kwargs: see `keras.Model`.
    """

    terms = ("concept_loss",)

    def __init__(
        self, dim: int, classes: int, settings: DEMLSettings, way: int = 0, **kwargs
    ) -> None:
        self.classes = classes
        super().__init__(dim, settings, way, **kwargs)

    @property
    def learner_dim(self) -> int:
        """Size of a concept."""
        return self.settings.embedding_size

    def make_more(self) -> None:
        """Make the step sizes, the concept network and the discriminator."""
        super().make_more()
        size, dtype = self.settings.embedding_size, self.dtype_policy
        hidden = self.settings.hidden_units
        self.concepts = Embedding(self.input_dim, size, hidden, dtype=dtype, name="concepts")
        self.discriminator = keras.layers.Dense(self.classes, dtype=dtype, name="discriminator")
        self.discriminator.build((None, size))

    def adapted(self, support: tf.Tensor, steps: int, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters after some inner steps on the concepts."""
        return super().adapted(self.concepts(tf.convert_to_tensor(support)), steps, present)

    def classify(self, params: Params, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the adapted learner of their concepts."""
        return super().classify(params, self.concepts(query))

    def task_loss(
        self, episodes: Episodes | EpisodesAndBase, noise: Noise | None = None
    ) -> MetaLoss:
        """Meta-SGD's loss; in training, that of the discriminator, too."""
        result = super().task_loss(episodes, noise)
        concept_loss = tf.zeros_like(result.task_losses)
        if noise is not None and self.settings.concept_weight:
            episodes, _ = self.cast(episodes)
            scores = self.discriminator(self.concepts(episodes.base))
            concept_loss = tf.reduce_mean(self.losses(scores, episodes.base_labels), axis=1)
        losses = result.task_losses + self.settings.concept_weight * concept_loss
        terms = {**result.terms, "concept_loss": concept_loss}
        return result._replace(loss=tf.reduce_mean(losses), task_losses=losses, terms=terms)

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`, which is not linear in the embedding."""
        served = (self.way, 0) if self.way else None
        return Classifier(self.adapt, self.classify, self, serves=served)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def build(settings: DEMLSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and its classes."""
    return DEML(train.dim, train.num_classes, settings, sizes.way).classifier()
