"""Matching networks (Vinyals et al., NeurIPS 2016, arXiv 1606.04080).

A query has the label y with probability p(y | x_q) = sum_i a(x_q, x_i) [y_i = y] (equation 1), the
attention a a softmax over the support's examples of cosines of f(x_q) and g(x_i) (section 2.1.1).
What is trained on is -log p, and the scores are log p up to a number common to the classes.

On fixed embeddings f and g are one small network, as where the paper says f = g. The paper has no
factor on the cosines: without one, of 5 classes of one example none is ever more probable than
0.65. So a positive one is learned.

Full context embeddings (section 2.1.2, appendix A), an option: g is the network's output plus
those of an LSTM each way over the support; f reads the support P times by an LSTM,

    h', c <- LSTM(f'(x_q), [h, r], c),  h <- h' + f'(x_q),  r = sum_i softmax_i(h . g(x_i)) g(x_i)

(equations 3 to 6). h and c start at 0, so the first r is the mean of the g(x_i). The paper names no
P. The order of the support, over which it says nothing, is random in training; afterwards it is the
first examples of all classes, then the second ones, and so on: scores depend on the classes' order.
"""

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.matching import MatchingSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding, PositiveScale, unit
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Declared, Noise, Order
from leo_tf.meta.serialisation import registered

Fitted = tuple[tf.Tensor, tf.Tensor]  # g(x_i) [tasks, way, shot, size], and which there are


@registered
class Matching(EpisodicClassifier):
    """Attention over the examples of the support.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, settings: MatchingSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        dtype, size = self.dtype_policy, settings.embedding_size
        self.embed = Embedding(dim, size, settings.hidden_units, dtype=dtype, name="embedding")
        self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        if settings.full_context:
            self.context = Context(size, dtype=dtype, name="context")
            self.reads = Reads(size, settings.read_steps, dtype=dtype, name="reads")
        self.track()
        self.built = True

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare a random order of the support for each task, if the order tells."""
        tasks, way, shot, _ = shapes.support
        return {"order": Order((tasks, way * shot))} if self.settings.full_context else {}

    def adapt(
        self,
        support: tf.Tensor,
        present: tf.Tensor | None = None,
        order: tf.Tensor | None = None,
    ) -> Fitted:
        """Embed the support set.

        Args:
          support: [tasks, way, shot, dim].
          present: which examples there are, [tasks, way, shot]; None for all.
          order: in which the LSTMs take them, [tasks, way * shot]; None for turns of the classes.

        Returns:
          g(x_i), [tasks, way, shot, size], and which there are, bool [tasks, way, shot].
        """
        examples = self.embed(support)
        sizes = tf.shape(examples)
        present = tf.ones(sizes[:3], tf.bool) if present is None else tf.cast(present, tf.bool)
        if not self.settings.full_context:
            return examples, present
        if order is None:
            turns = tf.transpose(tf.reshape(tf.range(sizes[1] * sizes[2]), sizes[1:3]))
            order = tf.tile(tf.reshape(turns, [1, -1]), [sizes[0], 1])
        flat, flat_present = self._flat((examples, present))
        in_order = (tf.gather(part, order, batch_dims=1) for part in (flat, flat_present))
        context = tf.gather(self.context(*in_order), tf.argsort(order), batch_dims=1)
        return examples + tf.reshape(context, sizes), present

    def classify(self, params: Fitted, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the logarithms of the classes' attention."""
        examples, present = self._flat(params)
        embedded = self.embed(query)
        if self.settings.full_context:
            embedded = self.reads(embedded, examples, present)
        attention = self.scale(tf.matmul(unit(embedded), unit(examples), transpose_b=True))
        attention = _without_absent(attention, present)
        tasks, way, shot = tf.unstack(tf.shape(params[1]))
        return tf.reduce_logsumexp(tf.reshape(attention, [tasks, -1, way, shot]), axis=-1)

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Adapt to the support sets, in a random order, and evaluate on the queries."""
        episodes, noise = self.cast(episodes, noise)
        order = (noise or {}).get("order")
        return self.query_loss(self.adapt(episodes.support, order=order), episodes)

    def _flat(self, fitted):
        """Return examples [tasks, n, size] and which there are [tasks, n]."""
        examples, present = fitted
        tasks, way, shot = tf.unstack(tf.shape(present))
        size = self.settings.embedding_size
        return (
            tf.reshape(examples, [tasks, way * shot, size]),
            tf.reshape(present, [tasks, way * shot]),
        )


class Context(keras.layers.Layer):
    """Sum of the outputs of an LSTM each way over examples: [tasks, n, size], as its input.

    Args:
      size: of an example.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, size: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ways = []
        for name, backward in (("forward", False), ("backward", True)):
            dtype = self.dtype_policy
            cell = keras.layers.LSTMCell(size, dtype=dtype, name=name)
            way = keras.layers.RNN(cell, True, go_backwards=backward, dtype=dtype)
            way.build((None, None, size))
            self.ways.append(way)
        self.built = True

    def call(self, examples, present):
        """Absent examples change no state; present [tasks, n]."""
        forward, backward = (way(examples, mask=present) for way in self.ways)
        return forward + tf.reverse(backward, [1])


class Reads(keras.layers.Layer):
    """f: what a query becomes as it reads the support: [tasks, q, size], as its input.

    Args:
      size: of an embedding.
      steps: P.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, size: int, steps: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.steps = steps
        self.cell = keras.layers.LSTMCell(size, dtype=self.dtype_policy, name="cell")
        self.cell.build((None, 2 * size))  # r, of the hidden state [h, r], enters with the input
        self.built = True

    def call(self, queries, examples, present):
        flat = tf.reshape(queries, [-1, queries.shape[-1]])
        state = memory = tf.zeros_like(flat)
        for _ in range(self.steps):
            products = tf.reshape(state, tf.shape(queries)) @ tf.linalg.matrix_transpose(examples)
            read = tf.nn.softmax(_without_absent(products, present)) @ examples
            inputs = tf.concat([flat, tf.reshape(read, tf.shape(flat))], axis=-1)
            output, (_, memory) = self.cell(inputs, [state, memory])
            state = output + flat
        return tf.reshape(state, tf.shape(queries))


def _without_absent(attention, present):
    """Attention logits [tasks, q, n] with absent examples ruled out."""
    nothing = tf.constant(-float("inf"), attention.dtype)
    return tf.where(present[:, tf.newaxis], attention, nothing)


def build(settings: MatchingSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Matching(train.dim, settings).classifier()
