"""FEAT: embeddings adapted to a task by self-attention (Ye et al., CVPR 2020, arXiv 1812.03664).

The N prototypes c_n = mean_k f(x_nk) pass one self-attention, a set-to-set function T (equations 5
to 7, one head): queries, keys and values are linear in the prototypes,

    T(c)_n = LayerNorm(c_n + dropout(W sum_m softmax_m(q_n . k_m / sqrt(H)) v_m + b)),

and a query's logits are its negative squared distances to the T(c)_n over a temperature; the query
is not adapted. A contrastive term (equation 8) is added to the loss: support and queries of a class
pass T together, the mean is the class's centre, and all of them, not adapted, are classified by the
distances to the centres over a second temperature.

On fixed embeddings f is a small network. A prototype that passed the layer norm has a squared
length near H, the size of f(x), so f is given sqrt(dim) x: entries of x are then of size 1, those
of f(x) also, and distances are of size H. Logits are -scale * distance / H; the paper's temperature
of 64 at H = 640 is a scale of 10, where the learned one starts; of the second temperatures, 64 and
32, the scales are 10 and 20, fixed. The authors' code also drops a tenth of the attention's
weights, of which the paper says nothing: it is left out. Their weight of the contrastive term is
0.01 for K = 1 and 0.1 for K = 5.
"""

import math

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.feat import FEATSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding, PositiveScale, squared_distances
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Declared, Mask, Noise, dropout
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered

EPSILON = 1e-5  # of the layer norm, added to the variance


@registered
class FEAT(EpisodicClassifier):
    """Distances to prototypes that have seen each other.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    terms = ("contrast",)

    def __init__(self, dim: int, settings: FEATSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        dtype, size = self.dtype_policy, settings.embedding_size
        self.embed = Embedding(dim, size, settings.hidden_units, dtype=dtype, name="embedding")
        self.attend = SelfAttention(
            size, settings.attention_dropout, settings.layer_norm, dtype=dtype, name="attention"
        )
        self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        self.track()
        self.built = True

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare what is dropped of the prototypes' attention, and of that of each class."""
        tasks, way, shot, _ = shapes.support
        size, rate = self.settings.embedding_size, self.settings.attention_dropout
        images = shot + shapes.query[2]
        return {
            "prototypes": Mask((tasks, way, size), rate),
            "classes": Mask((tasks, way, images, size), rate),
        }

    def adapt(
        self,
        support: tf.Tensor,
        present: tf.Tensor | None = None,
        keep: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return the adapted prototypes, [tasks, way, size].

        Args:
          support: [tasks, way, shot, dim].
          present: which examples there are, [tasks, way, shot]; None for all.
          keep: what dropout leaves, [tasks, way, size]; None for all.
        """
        return self.attend(mean_of_examples(self._embedded(support), present), keep)

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by their negative scaled distances to the adapted prototypes."""
        return -self.scale(self._distances(self._embedded(query), params))

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries; add the contrastive term."""
        episodes, noise = self.cast(episodes, noise)
        noise = noise or {}
        params = self.adapt(episodes.support, keep=noise.get("prototypes"))
        result = self.query_loss(params, episodes)
        contrast = self._contrast(episodes, noise.get("classes"))
        losses = result.task_losses + self.settings.contrast_weight * contrast
        terms = {**result.terms, "contrast": contrast}
        return MetaLoss(tf.reduce_mean(losses), losses, terms, params)

    def _contrast(self, episodes, keep):
        """Cross-entropy of all images of an episode against their classes' centres, [tasks]."""
        images = self._embedded(tf.concat([episodes.support, episodes.query], axis=2))
        centres = tf.reduce_mean(self.attend(images, keep), axis=2)
        tasks, way, count, size = images.shape
        images = tf.reshape(images, [tasks, way * count, size])
        logits = -self.settings.contrast_scale * self._distances(images, centres)
        labels = tf.repeat(tf.range(way), count)
        labels = tf.broadcast_to(labels, [tasks, way * count])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_mean(losses, axis=1)

    def _embedded(self, x):
        return self.embed(math.sqrt(self.input_dim) * x)

    def _distances(self, points, others):
        return squared_distances(points, others) / self.settings.embedding_size


class SelfAttention(keras.layers.Layer):
    """T: sets [..., n, size] whose members attend to each other, of the same shape.

    Args:
      size: of a member, and of its key and value.
      rate: of dropout.
      norm: whether the result passes a layer norm.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, size: int, rate: float, norm: bool, **kwargs) -> None:
        super().__init__(**kwargs)
        self.rate, self.norm = rate, norm
        names = ("query", "key", "value", "output")
        self.kernels = [self.add_weight((size, size), name=f"{name}_kernel") for name in names]
        self.bias = self.add_weight((size,), initializer="zeros", name="output_bias")
        if norm:
            self.gain = self.add_weight((size,), initializer="ones", name="norm_gain")
            self.shift = self.add_weight((size,), initializer="zeros", name="norm_shift")
        self.built = True

    def call(self, points, keep=None):
        """Adapt sets; keep: what dropout leaves of the outputs, of the points' shape."""
        *maps, of_output = self.kernels
        queries, keys, values = (tf.tensordot(points, kernel, 1) for kernel in maps)
        products = tf.matmul(queries, keys, transpose_b=True) / math.sqrt(points.shape[-1])
        outputs = tf.tensordot(tf.nn.softmax(products) @ values, of_output, 1) + self.bias
        if keep is not None:
            outputs = dropout(outputs, keep, self.rate)
        adapted = points + outputs
        if not self.norm:
            return adapted
        mean, variance = tf.nn.moments(adapted, axes=[-1], keepdims=True)
        return self.gain * (adapted - mean) * tf.math.rsqrt(variance + EPSILON) + self.shift


def build(settings: FEATSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return FEAT(train.dim, settings).classifier()
