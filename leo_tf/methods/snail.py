"""SNAIL, a simple neural attentive learner (Mishra et al., ICLR 2018, arXiv 1707.03141).

An episode is a sequence of N K pairs (f(x), one-hot y) and a last one (f(x_q), 0); what the network
makes of the last position, by a linear map, are the query's scores. It is attention, temporal
convolutions, attention, convolutions, attention, each block of which concatenates its output to its
input (section 3 and figure 2 of the paper). No position sees a later one: so the support's part of
a sequence, which is the same for all queries of an episode, is computed once.

- Attention: softmax(q k^T / sqrt(key size)) v over a position and those before it.
- Convolutions: of the lengths 1, 2, 4, ... below T = N K + 1, so ceil(log2 T) of them, each
  tanh(a) * sigmoid(b) of affine maps a and b of a position and the one that lies the length before.

Choices: the support comes in a random order in training; in a test, the first example of each
class, then the second of each, and so on. The numbers of the classes are drawn with each episode.
All queries of an episode are trained on, in place of one (--queries). A model serves only the way
and shot that it was made for. f is a small network instead of convolutions on pictures. The
support and each query take some 2.3 million products at 5-way 1-shot, 4.3 million at 5 shots, where
LEO takes some thousands a query: its steps are as much slower as its paper's network is larger.
"""

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodeSizes
from leo_tf.config.methods.snail import SNAILSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier, check_served
from leo_tf.meta.embedding import Embedding
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Declared, Noise, Order
from leo_tf.meta.serialisation import registered

AT_ONCE = 4096  # queries: each becomes thousands of numbers, and a test has many


class CausalAttention(keras.layers.Layer):
    """Single-head attention over a position and those before it, beside its input.

    Args:
      width: size of an input.
      key, value: sizes of keys and values.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, width: int, key: int, value: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.sizes = [key, key, value]
        self.out = width + value
        for name, size in zip(("query", "key", "value"), self.sizes, strict=True):
            kernel = self.add_weight(shape=(width, size), name=f"{name}_kernel")
            bias = self.add_weight(shape=(size,), initializer="zeros", name=f"{name}_bias")
            setattr(self, name, (kernel, bias))
        self.built = True

    def support(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Go over the support, [tasks, length, width].

        Returns:
          [tasks, length, out], and what queries need of it: keys and values.
        """
        queries, keys, values = self._maps(inputs)
        length = inputs.shape[1]
        later = tf.linalg.band_part(tf.ones([length, length], tf.bool), 0, -1)
        later = tf.linalg.set_diag(later, tf.zeros([length], tf.bool))
        logits = tf.where(later, inputs.dtype.min, tf.matmul(queries, keys, transpose_b=True))
        read = tf.matmul(tf.nn.softmax(logits), values)
        return tf.concat([inputs, read], axis=-1), (keys, values)

    def last(self, inputs: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Go over queries, [tasks, n, width], each the last position after the same support."""
        queries, own_keys, own_values = self._maps(inputs)
        keys, values = state
        own = tf.reduce_sum(queries * own_keys, axis=-1, keepdims=True)
        logits = tf.concat([tf.matmul(queries, keys, transpose_b=True), own], axis=-1)
        shares = tf.nn.softmax(logits)
        read = tf.matmul(shares[..., :-1], values) + shares[..., -1:] * own_values
        return tf.concat([inputs, read], axis=-1)

    def _maps(self, inputs):
        """Return queries, divided by the root of their size, keys and values."""
        maps = zip(*(self.query, self.key, self.value), strict=True)
        kernels, biases = (tf.concat(list(each), axis=-1) for each in maps)
        queries, keys, values = tf.split(
            tf.tensordot(inputs, kernels, 1) + biases, self.sizes, axis=-1
        )
        return queries / math.sqrt(self.sizes[0]), keys, values


class DilatedConvolution(keras.layers.Layer):
    """A gated convolution of a position and one before it, beside its input.

    Args:
      width: size of an input.
      filters: size of the output that is put beside it.
      length: how far the other position lies before.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, width: int, filters: int, length: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.length, self.out = length, width + filters
        shape = (width, 2 * filters)
        scale = keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform")  # two kernels add up
        self.past_kernel = self.add_weight(shape=shape, initializer=scale, name="past_kernel")
        self.kernel = self.add_weight(shape=shape, initializer=scale, name="kernel")
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")
        self.built = True

    def support(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Go over the support, as `CausalAttention.support` does; 0 lies before the first."""
        past = tf.tensordot(inputs, self.past_kernel, 1)
        kept = inputs.shape[1] - self.length
        shifted = tf.pad(past[:, :kept], [[0, 0], [self.length, 0], [0, 0]])
        return self._gated(inputs, shifted), past[:, kept : kept + 1]

    def last(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Go over queries, [tasks, n, width], each the last position after the same support."""
        return self._gated(inputs, state)

    def _gated(self, inputs, past):
        values, gates = tf.split(tf.tensordot(inputs, self.kernel, 1) + past + self.bias, 2, -1)
        return tf.concat([inputs, tf.tanh(values) * tf.sigmoid(gates)], axis=-1)


@registered
class SNAIL(EpisodicClassifier):
    """Scores of a query by a causal network over the support and the query.

    Args:
      dim: size of an embedding.
      way, shot: of the episodes that it is for.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, way: int, shot: int, settings: SNAILSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim, self.way, self.shot = dim, way, shot
        size, dtype = settings.embedding_size, self.dtype_policy
        self.embed = Embedding(dim, size, settings.hidden_units, dtype=dtype, name="embedding")
        self.blocks, width = [], size + way
        for number, factor in enumerate((1, 4, 8)):
            key = factor * settings.key_size
            name = f"attention_{number}"
            self.blocks.append(CausalAttention(width, key, key // 2, dtype=dtype, name=name))
            width = self.blocks[-1].out
            lengths = range(math.ceil(math.log2(way * shot + 1))) if number < 2 else []
            for power in lengths:
                name = f"convolution_{number}_{power}"
                self.blocks.append(
                    DilatedConvolution(width, settings.filters, 2**power, dtype=dtype, name=name)
                )
                width = self.blocks[-1].out
        self.kernel = self.add_weight(shape=(width, way), name="kernel")
        self.bias = self.add_weight(shape=(way,), initializer="zeros", name="bias")
        self.track()
        self.built = True

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare the order of the support's examples.

        Raises:
          ValueError: of episodes of another way or shot than the model's.
        """
        tasks, way, shot = shapes.support_labels
        check_served((self.way, self.shot), (way, shot))
        return {"order": Order((tasks, way * shot))}

    def adapt(self, support: tf.Tensor) -> Any:
        """Return what queries need of the support, a structure of tensors [tasks, ...].

        Raises:
          ValueError: of another way or shot than the model's.
        """
        in_turn = tf.range(self.way * self.shot) // self.way
        in_turn += self.shot * (tf.range(self.way * self.shot) % self.way)
        return self._states(tf.gather(self._pairs(support), in_turn, axis=1))

    def classify(self, params: Any, query: tf.Tensor) -> tf.Tensor:
        """Score queries, each by itself; many of them one task after the other."""

        sizes = query.shape[:2]
        if None not in sizes and math.prod(sizes) <= AT_ONCE:
            return self._scores(params, query)

        def one(task):
            batch = tf.nest.map_structure(lambda each: each[tf.newaxis], task)
            return self._scores(*batch)[0]

        spec = tf.TensorSpec([query.shape[1], self.way], query.dtype)
        return tf.map_fn(one, (params, query), fn_output_signature=spec)

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Loss of the queries after the support in the order that noise tells."""
        episodes, noise = self.cast(episodes, noise)
        if noise is None:
            return self.query_loss(self.adapt(episodes.support), episodes)
        pairs = tf.gather(self._pairs(episodes.support), noise["order"], axis=1, batch_dims=1)
        return self.query_loss(self._states(pairs), episodes)

    def get_config(self):
        return {**super().get_config(), "way": self.way, "shot": self.shot}

    def _scores(self, params, query):
        """Score the queries of all tasks at once."""
        embedded = self.embed(query)
        positions = tf.pad(embedded, [[0, 0], [0, 0], [0, self.way]])
        for block, state in zip(self.blocks, params, strict=True):
            positions = block.last(positions, state)
        return tf.tensordot(positions, self.kernel, 1) + self.bias

    def _states(self, pairs):
        """Go over a support in its order; returns what each block keeps for queries."""
        states = []
        for block in self.blocks:
            pairs, state = block.support(pairs)
            states.append(state)
        return tuple(states)

    def _pairs(self, support):
        """Return the pairs of embeddings and one-hot labels, [tasks, way * shot, width]."""
        way, shot = self.way, self.shot
        check_served((way, shot), support.shape[1:3])
        support = tf.ensure_shape(support, [None, way, shot, self.input_dim])
        embedded = self.embed(tf.reshape(support, [-1, way * shot, self.input_dim]))
        labels = tf.repeat(tf.eye(way, dtype=embedded.dtype), shot, axis=0)
        labels = tf.broadcast_to(labels, tf.concat([tf.shape(embedded)[:2], [way]], axis=0))
        return tf.concat([embedded, labels], axis=-1)


def build(settings: SNAILSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and a run's way and shot."""
    classifier = SNAIL(train.dim, sizes.way, sizes.shot, settings).classifier()
    return dataclasses.replace(classifier, serves=(sizes.way, sizes.shot))
