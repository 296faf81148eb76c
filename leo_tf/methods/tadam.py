"""TADAM: task dependent adaptive metric (Oreshkin et al., NeurIPS 2018, arXiv 1805.10123).

Prototypical networks whose embedding depends on the task. A first pass of the support through f
gives the prototypes, whose mean is the task's embedding c. In the second pass, of support and
queries, a layer's result h becomes (1 + gamma_0 g(c)) * h + beta_0 b(c) before its activation
(section 2.3); gamma_0 and beta_0 are a number each a layer, initially 0, with an L2 penalty, and g
and b networks with residual connections: the first layer leads to the width of h, the others add to
what they are given, the last is linear. Logits are -alpha ||f(x_q) - c_n||^2 (section 2.1).

In training, an extra step before the episodes' classifies examples of the base classes by a linear
layer on the f of the first pass, at step t with probability p^(1 + floor(20 t / T)) (section 2.4; 1
+ as in the authors' code).

Choices: alpha is learned, as in the text, in the code it is fixed and the distance not squared. f
is one hidden ReLU layer and a linear one. Of the latter only the factor is there: a shift, the same
for prototypes and queries, cancels in the distance. Paper and code train both kinds of steps by
gradient descent with momentum; here the episodes' are Adam's, as all methods' are, and the extra
ones plain gradient descent, clipped alike, at a rate of their own, which leaves Adam's moments and
its count of steps alone.
"""

from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodesAndBase
from leo_tf.config.methods.tadam import TADAMSettings
from leo_tf.meta import replicas
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding, PositiveScale, squared_distances
from leo_tf.meta.noise import Declared, Noise, Step, Uniform
from leo_tf.meta.outer_step import clip
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered

STAIRS = 20  # of the schedule of extra steps


class TaskNetwork(keras.layers.Layer):
    """A residual network times a number that starts at 0: [tasks, dim] -> [tasks, 1, width].

    Args:
      dim: size of a task's embedding.
      width: of the layer that the result changes.
      layers: how many the network has.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, dim: int, width: int, layers: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.layers = []
        for number, size in enumerate([dim] + [width] * (layers - 1)):
            kernel = self.add_weight(shape=(size, width), name=f"kernel_{number}")
            bias = self.add_weight(shape=(width,), initializer="zeros", name=f"bias_{number}")
            self.layers.append((kernel, bias))
        self.strength = self.add_weight(shape=(), initializer="zeros", name="strength")
        self.built = True

    def call(self, inputs):
        for number, (kernel, bias) in enumerate(self.layers):
            outputs = tf.matmul(inputs, kernel) + bias
            outputs = outputs + inputs if number else outputs
            inputs = outputs if number == len(self.layers) - 1 else tf.nn.relu(outputs)
        return self.strength * inputs[:, tf.newaxis]


class TaskEmbedding(Embedding):
    """`Embedding` whose layers a task can change."""

    def call(self, inputs, changes=None):
        """Embed [tasks, n, dim].

        Args:
          inputs: the examples.
          changes: what to add to the factors of 1 of the linear layer; then, if there is a hidden
            one, to its factors and to its results; None for none.
        """
        if changes is None:
            return super().call(inputs)
        if self.hidden:
            hidden = tf.tensordot(inputs, self.hidden_kernel, 1) + self.hidden_bias
            inputs = tf.nn.relu((1 + changes[1]) * hidden + changes[2])
        return (1 + changes[0]) * tf.tensordot(inputs, self.kernel, 1)


@registered
class TADAM(EpisodicClassifier):
    """Distances to class means after an embedding that depends on the task.

    Args:
      dim: size of an embedding.
      classes: the base classes, of which extra steps tell which an example is of.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    terms = ("conditioning_penalty",)

    def __init__(self, dim: int, classes: int, settings: TADAMSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim, self.classes = dim, classes
        size, hidden, dtype = settings.embedding_size, settings.hidden_units, self.dtype_policy
        self.embed = TaskEmbedding(dim, size, hidden, dtype=dtype, name="embedding")
        self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        widths = {"factor": size} | ({"hidden_factor": hidden, "shift": hidden} if hidden else {})
        self.task_networks = [
            TaskNetwork(size, width, settings.task_layers, dtype=dtype, name=name)
            for name, width in widths.items()
        ]
        self.base_kernel = self.add_weight(shape=(size, classes), name="base_kernel")
        self.base_bias = self.add_weight(shape=(classes,), initializer="zeros", name="base_bias")
        self.track()
        self.built = True

    def noise_spec(self, shapes: Episodes | EpisodesAndBase) -> dict[str, Declared]:
        """Declare what decides whether there is an extra step: its number and chance."""
        if not self.settings.auxiliary_probability:
            return {}
        tasks = shapes.support[:1]
        return {"step": Step(tasks), "chance": Uniform(tasks)}

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> Any:
        """Return the prototypes, [tasks, way, size], and the task's changes of the layers."""
        tasks = tf.reduce_mean(mean_of_examples(self.embed(support), present), axis=1)
        changes = tuple(network(tasks) for network in self.task_networks)
        flat = tf.reshape(support, [tf.shape(support)[0], -1, self.input_dim])
        shape = tf.concat([tf.shape(support)[:3], [self.embed.kernel.shape[-1]]], axis=0)
        embedded = tf.reshape(self.embed(flat, changes), shape)
        return mean_of_examples(embedded, present), changes

    def classify(self, params: Any, query: tf.Tensor) -> tf.Tensor:
        """Score queries by their negative scaled distances to the prototypes."""
        prototypes, changes = params
        return -self.scale(squared_distances(self.embed(query, changes), prototypes))

    def penalties(self) -> dict[str, tuple[float, tf.Tensor]]:
        """Return the squared strengths, gamma_0 and beta_0 of all layers, and their weight."""
        squares = sum(tf.square(network.strength) for network in self.task_networks)
        return {"conditioning_penalty": (self.settings.conditioning_penalty_weight, squares)}

    def train_step(self, data):
        """Take an extra step if its turn has come, then the outer step on the episodes."""
        episodes, noise = data
        if self.settings.auxiliary_probability:
            self._auxiliary_step(*self.cast(episodes, noise))
        return super().train_step(data)

    def auxiliary_loss(self, examples: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the classification of base examples [..., dim] by labels [...]."""
        scores = tf.tensordot(self.embed(examples), self.base_kernel, 1) + self.base_bias
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
        return tf.reduce_mean(losses)

    def auxiliary_probability(self, step: tf.Tensor) -> tf.Tensor:
        """Return the probability of an extra step before step `step`, the first of which is 0."""
        total = self.settings.auxiliary_steps
        stair = STAIRS * tf.minimum(step, total - 1) // total if total else 0
        start = tf.constant(self.settings.auxiliary_probability, self.compute_dtype)
        return start ** tf.cast(1 + stair, start.dtype)

    def _auxiliary_step(self, episodes: EpisodesAndBase, noise: Noise) -> None:
        """Move the embedding and the base classifier, or leave them where they are."""
        variables = [*self.embed.trainable_variables, self.base_kernel, self.base_bias]

        def gradients():
            with tf.GradientTape() as tape:
                loss = self.auxiliary_loss(episodes.base, episodes.base_labels)
            return tape.gradient(loss, [variable.value for variable in variables])

        def none():
            return [tf.zeros_like(variable.value) for variable in variables]

        chance = replicas.of_first(noise["chance"][0])  # of the whole batch
        due = chance < self.auxiliary_probability(noise["step"][0])
        bounds = self.settings.gradient_threshold, self.settings.gradient_norm_threshold
        clipped = clip(replicas.mean(tf.cond(due, gradients, none)), *bounds)
        for variable, gradient in zip(variables, clipped, strict=True):
            variable.assign_sub(self.settings.auxiliary_lr * gradient)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def build(settings: TADAMSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and its classes.

    Raises:
      ValueError: if there is a single class.
    """
    if train.num_classes < 2 and settings.auxiliary_probability:
        raise ValueError(
            f"{train.name}: has 1 class; tadam's extra steps tell base classes apart and need 2, "
            "or none of these steps: --auxiliary_probability=0"
        )
    return TADAM(train.dim, train.num_classes, settings).classifier()
