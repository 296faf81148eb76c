"""Discriminative k-shot learning by a prior on weights (Bauer et al. 2017, arXiv 1706.00326).

Softmax regression on the base classes gives a weight vector of each. A Gaussian N(mu, Sigma) fitted
to these is the prior of a new class's weights, and what a support set is fitted to is the maximum a
posteriori,

    argmin_W  sum_i CE(W x_i, y_i) + sum_n (w_n - mu)^T Sigma^-1 (w_n - mu) / 2.

mu, common to all classes, adds the same to all scores of an example: it is left out. With
w_n = Sigma^1/2 v_n the rest is logistic regression of C = 1 on Sigma^1/2 x, and is fitted as that.

Choices. No intercept, of either regression. The penalty of the first is a setting, since it decides
how long the vectors are, and so how wide the prior is. The prior is isotropic by default, which is
the one whose results the paper reports. As many vectors as there are base classes give no full
covariance: `prior_rank` asks for the r principal directions with variances of their own and one
variance for all others (the most likely such Gaussian, of probabilistic principal components). The
most probable weights stand for the posterior by default; `laplace_samples` asks for draws from its
Laplace approximation, whose probabilities are averaged. These are drawn from the same normals for
all tasks, so that a task's scores do not depend on the others; class by class, so that the order of
the classes then matters a little.
"""

import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.bauer import BauerSettings
from leo_tf.meta.base_regression import base_regression
from leo_tf.meta.classifier import Classifier, averaged, linear_scores
from leo_tf.meta.curvature import laplace_deviations, output_roots
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.noise import fixed_normals
from leo_tf.meta.softmax_learner import labelled
from leo_tf.meta.softmax_regression import softmax_regression


class Prior(tf.Module):
    """The covariance of a class's weights: one variance, and more in some directions.

    Args:
      dim: size of an embedding.
      rank: number of directions.
    """

    def __init__(self, dim: int, rank: int) -> None:
        super().__init__()
        # Sigma^1/2 = spread I + directions^T diag(extra) directions; before `fit`, the identity.
        self.spread = tf.Variable(1.0, trainable=False)
        self.extra = tf.Variable(tf.zeros([rank]), trainable=False)
        self.directions = tf.Variable(tf.zeros([rank, dim]), trainable=False)

    def fit(self, weights: np.ndarray) -> None:
        """Take the Gaussian that makes vectors [classes, dim] most likely."""
        rank, classes = self.extra.shape[0], len(weights)
        centred = weights - weights.mean(axis=0)
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        variances = np.square(singular) / classes
        spread = np.sqrt(variances[rank:].sum() / (weights.shape[1] - rank))
        self.spread.assign(spread)
        self.extra.assign(np.sqrt(variances[:rank]) - spread)
        self.directions.assign(directions[:rank])

    def root(self, vectors: tf.Tensor) -> tf.Tensor:
        """Multiply vectors [..., dim] by Sigma^1/2."""
        spread, extra, directions = (
            tf.cast(part, vectors.dtype) for part in (self.spread, self.extra, self.directions)
        )
        along = extra * tf.tensordot(vectors, directions, [[-1], [1]])
        return spread * vectors + tf.tensordot(along, directions, 1)


def build(settings: BauerSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier; its prior is fitted by `Classifier.fit_base`.

    Raises:
      ValueError: one line, if there are too few classes, or dimensions, for the prior.
    """
    most = min(train.num_classes - 1, train.dim)  # directions in which vectors of weights differ
    if settings.prior_rank >= most:
        raise ValueError(
            f"prior_rank must be below {most} for the {train.num_classes} classes of "
            f"{train.dim}-d embeddings of {train.name}, not {settings.prior_rank}; lower it"
        )
    prior = Prior(train.dim, settings.prior_rank)

    samples = settings.laplace_samples

    def adapt(support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        whitened = prior.root(support)
        fitted = softmax_regression(whitened, 1.0, present)
        if samples:
            fitted = laplace_draws(fitted, whitened, present, samples)
        return prior.root(fitted)

    def classify(weights: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        return averaged([linear_scores(weights[:, i], query) for i in range(samples)])

    def fit_base(base: EmbeddingSet, seed: int) -> None:
        prior.fit(base_regression(base, settings.base_penalty))

    return Classifier(adapt, classify if samples else None, fit_base=fit_base)


def laplace_draws(
    fitted: tf.Tensor, support: tf.Tensor, present: tf.Tensor | None, samples: int
) -> tf.Tensor:
    """Draw from the Laplace approximation of a posterior whose prior is standard normal.

    Args:
      fitted: its mode, [tasks, way, dim].
      support: [tasks, way, shot, dim].
      present: bool [tasks, way, shot]; None for all.
      samples: how many draws.

    Returns:
      [tasks, samples, way, dim].
    """
    inputs, _ = labelled(support, present)  # absent ones are 0, and so is their curvature
    roots = output_roots(linear_scores(fitted, inputs))
    way, dim = sizes_of(fitted)[1:]
    noise = tf.cast(fixed_normals("bauer/laplace", samples, way, dim), fitted.dtype)
    return fitted[:, tf.newaxis] + laplace_deviations(inputs, roots, noise)
