"""LLAMA, MAML with a Laplace approximation (Grant et al., ICLR 2018, arXiv 1801.08930).

A task's marginal likelihood is approximated at the parameters phi that the inner loop of MAML finds
(algorithm 2, subroutine 4): the loss is that of the queries at phi + eta log det(H), where H is the
curvature of the support's summed loss at phi plus tau I, the precision of the prior. Laplace's
factor 1/2 is within eta.

Linear learner: H = tau I + sum_i (diag p_i - p_i p_i^T) (x) x_i x_i^T, with p_i the probabilities
of the classes, is exact. Its rank beside tau I is at most examples * classes, so that log det(H) =
size * log(tau) + log det(I + G / tau), G the Gram matrix of the square roots of its terms.

Hidden layer: the paper's block-diagonal Kronecker factors, one product a layer, of the sums over
examples of (inputs inputs^T) and of the curvature in the layer's outputs, over the number of
examples; log det is the sum over pairs of their eigenvalues of log(a b + tau). Curvature is that of
Gauss and Newton, exact in expectation over the classes, where the paper's is the gradients' second
moment. The hidden layer's bias is a weight of an input of 1.
"""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.llama import LLAMASettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.curvature import gram, output_roots
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.serialisation import registered
from leo_tf.meta.softmax_learner import Params, labelled


@registered
class LLAMA(GradientClassifier):
    """MAML whose loss has the curvature at the adapted parameters, see `GradientClassifier`."""

    terms = ("log_det",)

    def rates(self) -> float:
        """The rate of all parameters."""
        return self.settings.inner_rate

    def task_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets; evaluate the queries, and the curvature."""
        episodes, noise = self.cast(episodes, noise)
        result = super().task_loss(episodes, noise)
        inputs, _ = labelled(episodes.support)
        log_det = self.log_det(result.adaptation, inputs)
        losses = result.task_losses + self.settings.curvature_weight * log_det
        terms = {**result.terms, "log_det": log_det}
        return MetaLoss(tf.reduce_mean(losses), losses, terms, result.adaptation)

    def log_det(self, params: Params, inputs: tf.Tensor) -> tf.Tensor:
        """log det(H) at parameters of the learner, [tasks].

        Args:
          params: [tasks, ...].
          inputs: of the support, [tasks, examples, dim].
        """
        tau = self.settings.prior_precision
        roots = output_roots(self.learner.logits(params, inputs))
        if not self.settings.learner_units:
            return exact_log_det(inputs, roots, tau)
        features = self.learner.features(params, inputs)
        tasks, examples, way, _ = roots.shape
        of_outputs = tf.reshape(tf.linalg.matrix_transpose(roots), [tasks, examples * way, way])
        of_hidden = tf.einsum("tick,tch->tikh", roots, params["output"])
        active = tf.cast(features > 0, features.dtype)[:, :, tf.newaxis]
        of_hidden = tf.reshape(of_hidden * active, [tasks, examples * way, features.shape[-1]])
        with_ones = tf.concat([inputs, tf.ones_like(inputs[..., :1])], axis=-1)
        layers = (features, of_outputs), (with_ones, of_hidden)
        return sum(kronecker_log_det(*layer, examples, tau) for layer in layers)


def exact_log_det(inputs: tf.Tensor, roots: tf.Tensor, tau: float) -> tf.Tensor:
    """log det(H) of a linear learner, [tasks], given its inputs and `output_roots`."""
    small = gram(inputs, roots) / tau
    small += tf.eye(tf.shape(small)[-1], dtype=small.dtype)
    constant = roots.shape[-1] * inputs.shape[-1] * tf.math.log(tf.constant(tau, small.dtype))
    return constant + tf.linalg.logdet(small)


def kronecker_log_det(
    inputs: tf.Tensor, outputs: tf.Tensor, examples: int, tau: float
) -> tf.Tensor:
    """log det(A (x) B / examples + tau I), [tasks], of A = inputs^T inputs, B = outputs^T outputs.

    Args:
      inputs: [tasks, n, size].
      outputs: [tasks, m, units].
      examples: their number.
      tau: above 0.
    """
    ones, others = spectrum(inputs), spectrum(outputs)
    pairs = tf.einsum("ta,tb->tab", ones, others) / examples
    left = inputs.shape[-1] * outputs.shape[-1] - ones.shape[-1] * others.shape[-1]
    constant = left * tf.math.log(tf.constant(tau, pairs.dtype))
    return constant + tf.reduce_sum(tf.math.log(pairs + tau), axis=[1, 2])


def spectrum(rows: tf.Tensor) -> tf.Tensor:
    """Eigenvalues of rows^T rows, those that can differ from 0: [tasks, min(n, size)]."""
    many = rows.shape[-2] > rows.shape[-1]
    gram = tf.matmul(rows, rows, transpose_a=many, transpose_b=not many)
    # v^T gram v has the gradient of the eigenvalue, also where two are equal, at one decomposition.
    _, vectors = tf.linalg.eigh(tf.stop_gradient(gram))
    return tf.nn.relu(tf.einsum("tia,tij,tja->ta", vectors, gram, vectors))


def build(settings: LLAMASettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return LLAMA(train.dim, settings, sizes.way).classifier()
