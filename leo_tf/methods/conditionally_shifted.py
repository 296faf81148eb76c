"""Conditionally shifted neurons (Munkhdalai et al., ICML 2018, arXiv 1712.09926).

A network whose activations a task shifts: h = relu(a) + relu(beta) in a hidden layer, a = W h + b,
and logits a + beta in the last (equation 1). The shifts come from a memory of the task's support.
For example i and each unit, the gradient of the example's loss at the unit's a, without shifts, is
read by a small network, one for each layer and shared by its units: the value V_i of the unit. A
network of keys turns x into k(x), and a query's shifts are the values that it attends to,
beta = sum_i softmax_i(k(x_q) . k(x_i)) V_i. All networks are trained together by the queries'
cross-entropies.

On fixed embeddings all are multilayer perceptrons. The key's has the hidden layers of the network;
its last has as many units as a hidden one, since one for each class would leave no more than those
to tell examples apart. Gradients are read as `leo_tf.meta.log_and_sign` has them, and are
constants in training: the slope of a logarithm has no bound. Dot products attend;
--cosine_keys takes cosines times a learned factor. The values of hidden units start around a half:
where a network begins with negative ones alone, one in four does from a start around 0, the ReLU
lets it learn nothing.

Output units are learned one by one, for a vector that they share would make the gradients at all
hidden units 0. The order of the classes thus matters, and a model serves one way.
"""

import dataclasses

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import class_labels
from leo_tf.config.methods.conditionally_shifted import ConditionallyShiftedSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier, check_served
from leo_tf.meta.embedding import PositiveScale, unit
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.log_and_sign import log_and_sign
from leo_tf.meta.perceptron import Perceptron
from leo_tf.meta.presence import zero_absent
from leo_tf.meta.serialisation import registered

FIRST_VALUES = 0.5  # of hidden units, about
Memory = dict[str, tf.Tensor]  # of support sets; see `ConditionallyShifted.adapt`


@registered
class ConditionallyShifted(EpisodicClassifier):
    """A network that attends to what the support's gradients say of its units.

    Args:
      dim: size of an embedding.
      way: classes of the episodes that it is for.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(
        self, dim: int, way: int, settings: ConditionallyShiftedSettings, **kwargs
    ) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim, self.way = dim, way
        dtype, units = self.dtype_policy, settings.shifted_units
        hidden = [dim, *[units] * settings.shifted_layers]
        self.network = Perceptron([*hidden, way], dtype=dtype, name="network")
        self.keys = Perceptron([*hidden, units], dtype=dtype, name="keys")
        starts = [*[FIRST_VALUES] * settings.shifted_layers, 0.0]
        self.values_of = [
            Perceptron([2, *[settings.value_units] * 3, 1], start, dtype=dtype, name=f"values_{i}")
            for i, start in enumerate(starts)
        ]
        if settings.cosine_keys:
            self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> Memory:
        """Return what queries attend to.

        Returns:
          {"keys": [tasks, way * shot, size], "absent": [tasks, way * shot], 0 or, where there is no
          example, a number that attention takes for minus infinity, "values_0", "values_1", ...: of
          each layer [tasks, way * shot, units]}.

        Raises:
          ValueError: of another way than the model's.
        """
        support = self._of_way(support)
        tasks, way, shot, dim = sizes_of(support)
        absent = tf.zeros([tasks, way * shot], support.dtype)
        if present is not None:
            present = tf.cast(present, tf.bool)
            support = zero_absent(support, present)
            absent = tf.where(tf.reshape(present, [tasks, way * shot]), absent, absent.dtype.min)
        examples = tf.reshape(support, [tasks, way * shot, dim])
        labels = tf.reshape(class_labels((tasks, way, shot)), [tasks, way * shot])
        gradients = self.unit_gradients(examples, labels)
        values = {
            f"values_{number}": network(log_and_sign(gradient))[..., 0]
            for number, (network, gradient) in enumerate(
                zip(self.values_of, gradients, strict=True)
            )
        }
        return {"keys": self._keys(examples), "absent": absent, **values}

    def unit_gradients(self, examples: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients of examples' losses at the units of each layer, constants.

        Args:
          examples: [tasks, n, dim].
          labels: [tasks, n].

        Returns:
          Of each layer, [tasks, n, units].
        """
        *hidden, logits = self.network.before_activations(examples)
        found = [tf.nn.softmax(logits) - tf.one_hot(labels, self.way, dtype=logits.dtype)]
        for before, kernel in zip(hidden[::-1], self.network.kernels[:0:-1], strict=True):
            slopes = tf.tensordot(found[0], tf.transpose(kernel), 1)
            found.insert(0, tf.where(before > 0, slopes, tf.zeros_like(slopes)))
        return [tf.stop_gradient(each) for each in found]

    def classify(self, params: Memory, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the network, shifted for each as it attends to the support."""
        products = tf.matmul(self._keys(query), params["keys"], transpose_b=True)
        if self.settings.cosine_keys:
            products = self.scale(products)
        attention = tf.nn.softmax(products + params["absent"][:, tf.newaxis])
        *shifts, of_logits = (
            tf.matmul(attention, params[f"values_{number}"])
            for number in range(len(self.values_of))
        )
        shifts = [tf.nn.relu(shift) for shift in shifts]
        return self.network.before_activations(query, [*shifts, 0.0])[-1] + of_logits

    def _keys(self, inputs):
        keys = self.keys(inputs)
        return unit(keys) if self.settings.cosine_keys else keys

    def _of_way(self, support):
        """Return a support set whose way is checked, here or, if not known yet, when it runs."""
        check_served((self.way, 0), support.shape[1:3])
        return tf.ensure_shape(support, [None, self.way, None, self.input_dim])

    def get_config(self):
        return {**super().get_config(), "way": self.way}


def build(
    settings: ConditionallyShiftedSettings, train: EmbeddingSet, sizes: EpisodeSizes
) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and one way."""
    classifier = ConditionallyShifted(train.dim, sizes.way, settings).classifier()
    return dataclasses.replace(classifier, serves=(sizes.way, 0))
