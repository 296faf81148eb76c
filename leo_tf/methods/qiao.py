"""Few-shot recognition by parameters predicted from activations (Qiao et al., CVPR 2018).

arXiv 1706.03466. phi maps an activation, or a mean of some, to the weights of its class. It is
learned by classifying images of the base classes: the score of x for class y is w_y . x, with
w_y = phi(s_y) scaled to length 1, and s_y, drawn anew for every class of every batch, is the mean
of the class with some probability, else one of its activations. A new class's weights are phi of
its support's mean, as in the authors' code; in the paper, as an option here, its score is the
greatest of those of the phi of its single examples.

Choices. The authors' activations are not normalised, these have length 1: a learned factor
multiplies the scores. phi is one linear map that starts as the identity, where the method is the
nearest centroid; or it normalises, and has a ReLU between two such maps. Its penalty is half the
sum of squares. A step classifies two batches, each with draws of its own. The activations that are
drawn are further images of the step, none of those that it classifies, and the first of a class
among them is its draw; a class without any is represented by its mean.
"""

import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodesAndBase
from data_pipeline.normalisation import normalise
from leo_tf.config.methods.qiao import QiaoSettings
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import PositiveScale, unit
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Declared, Noise, Uniform
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered


@registered
class Qiao(EpisodicClassifier):
    """Weights predicted from activations.

    Args:
      dim: size of an embedding.
      classes: number of base classes.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    terms = ("phi_penalty",)

    def __init__(self, dim: int, classes: int, settings: QiaoSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim, self.classes = dim, classes
        self.kernels = [
            self.add_weight(shape=(dim, dim), initializer="identity", name=f"phi_{layer}")
            for layer in range(2 if settings.two_layers else 1)
        ]
        self.scale = PositiveScale(settings.scale_init, dtype=self.dtype_policy, name="scale")
        self.means = self.add_weight(
            shape=(classes, dim), initializer="zeros", trainable=False, name="means"
        )
        self.track()
        self.built = True

    def fit_base(self, train: EmbeddingSet, seed: int) -> None:
        """Take the means of the base classes' normalised embeddings."""
        images = (normalise(train.of_class(name)) for name in train.class_names)
        self.means.assign(np.stack([tf.reduce_mean(each, axis=0) for each in images]))

    def noise_spec(self, shapes: Episodes | EpisodesAndBase) -> dict[str, Declared]:
        """Declare what decides which classes are represented by their means."""
        return {"chance": Uniform((shapes.support[0], self.classes))}

    def phi(self, activations: tf.Tensor) -> tf.Tensor:
        """Map activations [..., dim] to weights of length 1."""
        if self.settings.two_layers:
            hidden = tf.nn.relu(tf.tensordot(unit(activations), self.kernels[0], 1))
        else:
            hidden = activations
        return unit(tf.tensordot(hidden, self.kernels[-1], 1))

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return scaled weights of classes, [tasks, way, dim]; or of examples, [..., shot, dim]."""
        if not self.settings.max_response:
            return self.scale(self.phi(mean_of_examples(support, present)))
        if present is not None:  # an example that there is stands for those that there are not
            first = tf.argmax(tf.cast(present, tf.int32), axis=2)
            there = tf.gather(support, first, axis=2, batch_dims=2)[:, :, tf.newaxis]
            support = tf.where(present[..., tf.newaxis], support, there)
        return self.scale(self.phi(support))

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the weights' responses."""
        if not self.settings.max_response:
            return tf.matmul(query, params, transpose_b=True)
        return tf.reduce_max(tf.einsum("tqd,twkd->tqwk", query, params), axis=-1)

    def task_loss(
        self, episodes: Episodes | EpisodesAndBase, noise: Noise | None = None
    ) -> MetaLoss:
        """Classify base examples; episodes, where there are only these."""
        if noise is None:
            return super().task_loss(episodes)
        episodes, noise = self.cast(episodes, noise)
        activations = self.settings.batch_activations
        represented = self.representatives(
            episodes.base[:, :activations], episodes.base_labels[:, :activations], noise["chance"]
        )
        images, labels = episodes.base[:, activations:], episodes.base_labels[:, activations:]
        scores = self.scale(tf.matmul(images, self.phi(represented), transpose_b=True))
        losses = tf.reduce_mean(self.losses(scores, labels), axis=1)
        terms = {"accuracy": share_right(scores, labels)}
        return MetaLoss(tf.reduce_mean(losses), losses, terms)

    def representatives(
        self, activations: tf.Tensor, labels: tf.Tensor, chance: tf.Tensor
    ) -> tf.Tensor:
        """Return what stands for each base class, s_y: [tasks, classes, dim].

        Args:
          activations: [tasks, n, dim].
          labels: of their base classes, [tasks, n].
          chance: [tasks, classes], uniform in [0, 1).
        """
        of_class = labels[:, tf.newaxis] == tf.range(self.classes)[:, tf.newaxis]
        first = tf.argmax(tf.cast(of_class, tf.int32), axis=2)
        drawn = tf.gather(activations, first, batch_dims=1)
        by_one = tf.reduce_any(of_class, axis=2) & (chance >= self.settings.mean_probability)
        return tf.where(by_one[..., tf.newaxis], drawn, tf.convert_to_tensor(self.means))

    def penalties(self) -> dict[str, tuple[float, tf.Tensor]]:
        """Return half the squares of phi, and their weight."""
        squares = sum(tf.nn.l2_loss(tf.convert_to_tensor(kernel)) for kernel in self.kernels)
        return {"phi_penalty": (self.settings.phi_penalty_weight, squares)}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def build(settings: QiaoSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and its classes."""
    model = Qiao(train.dim, train.num_classes, settings)
    classify = model.classify if settings.max_response else None  # None: linear
    return Classifier(model.adapt, classify, model, fit_base=model.fit_base)
