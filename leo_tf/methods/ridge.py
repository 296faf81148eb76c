"""Ridge regression as a differentiable base learner, R2-D2 (Bertinetto et al., ICLR 2019).

arXiv 1805.08136. With X the rows f(x) of a task's support and Y its one-hot labels, the task's
weights are W = X^T (X X^T + lambda I)^-1 Y (equation 4, by Woodbury's identity), and a query's
logits are alpha f(x_q) W + beta (equation 6). f, lambda and alpha are learned from the queries'
cross-entropies; lambda and alpha stay positive by their logarithms.

beta is one number for all classes, which a softmax does not see: it is left out. The authors' code
appends a 1 to f(x) and divides X and Y by sqrt(N K), which the equations do not have; its lambda
times N K is this one. On fixed embeddings f is a small network, of vectors of length 1: lambda
starts at 1, not at the 50 of their larger features.
"""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.ridge import RidgeSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding, PositiveScale
from leo_tf.meta.serialisation import registered
from leo_tf.meta.span import span_of


@registered
class Ridge(EpisodicClassifier):
    """Ridge regression of the one-hot labels on a learned embedding.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, settings: RidgeSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        dtype = self.dtype_policy
        self.embed = Embedding(
            dim, settings.embedding_size, settings.hidden_units, dtype=dtype, name="embedding"
        )
        self.penalty = PositiveScale(settings.penalty_init, dtype=dtype, name="penalty")
        self.alpha = PositiveScale(settings.alpha_init, dtype=dtype, name="alpha")
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return the weights of the regressions, W^T: [tasks, way, size]."""
        span = span_of(self.embed(support), present)
        identity = tf.eye(tf.shape(span.gram)[-1], dtype=span.gram.dtype)
        factor = tf.linalg.cholesky(span.gram + self.penalty(identity))
        return span.weights(tf.linalg.cholesky_solve(factor, span.targets))

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the regressions' values, times alpha."""
        return self.alpha(tf.matmul(self.embed(query), params, transpose_b=True))


def build(settings: RidgeSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Ridge(train.dim, settings).classifier()
