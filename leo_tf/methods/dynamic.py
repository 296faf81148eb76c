"""Dynamic few-shot learning without forgetting (Gidaris & Komodakis, CVPR 2018).

arXiv 1804.09458. A cosine classifier, with a learned factor, over the base classes: a weight vector
w_b each, on z = f(x) of length 1. A new class's weights are

    w = phi_avg * mean_k z_k + phi_att * (1 / K) sum_k sum_b Att(phi_q z_k, k_b) w_b / |w_b|,

Att being the softmax over the base classes of gamma times the cosine with their learned keys k_b;
phi_avg and phi_att are vectors that start at 1, phi_q is a matrix that starts as the identity.

Two stages. In the first, of `base_steps` steps, f, the w_b and the factor learn to
classify the base examples. In the second, f stays, and the rest is trained in episodes: their
classes, base classes in truth, play new ones, and are none of those that are attended to. What is
scored are the queries, and as many base examples, of which those of the episode's own classes are
left out; the scores are over the episode's classes and all other base classes together. In a test
the new classes alone are scored.

Choices. f is the small network that all methods have on fixed embeddings. As many base classes play
new ones as an episode has classes. phi_q has no bias. Both stages have one optimizer; in the second
the moments that Adam has of f move it no further. Keys start from Glorot's uniform.
"""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodesAndBase
from leo_tf.config.methods.dynamic import DynamicSettings
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.classifier import Classifier, EpisodicClassifier, flat_queries
from leo_tf.meta.embedding import Embedding, PositiveScale, unit
from leo_tf.meta.model import MetaLoss, Update
from leo_tf.meta.noise import Declared, Noise, Step
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered

NEVER = -1e9  # what a score or a logit of attention is where there is no class


@registered
class Dynamic(EpisodicClassifier):
    """Weights of new classes from their support and from base classes.

    Args:
      dim: size of an embedding.
      classes: number of base classes.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, classes: int, settings: DynamicSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim, self.classes = dim, classes
        size, dtype = settings.embedding_size, self.dtype_policy
        self.embed = Embedding(dim, size, settings.hidden_units, dtype=dtype, name="embedding")
        self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        self.gamma = PositiveScale(settings.attention_scale_init, dtype=dtype, name="gamma")
        self.base_weights = self.add_weight(shape=(classes, size), name="base_weights")
        self.keys = self.add_weight(shape=(classes, size), name="keys")
        self.phi_q = self.add_weight(shape=(size, size), initializer="identity", name="phi_q")
        self.phi_avg = self.add_weight(shape=(size,), initializer="ones", name="phi_avg")
        self.phi_att = self.add_weight(shape=(size,), initializer="ones", name="phi_att")
        self.track()
        self.built = True

    def noise_spec(self, shapes: Episodes | EpisodesAndBase) -> dict[str, Declared]:
        """Declare the number of the step, which tells the stage."""
        return {"step": Step(shapes.support[:1])}

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return the weights of new classes, [tasks, way, size]; all base classes count."""
        return self.weights_of(unit(self.embed(support)), present)

    def weights_of(
        self,
        features: tf.Tensor,
        present: tf.Tensor | None = None,
        playing: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Make the weights of new classes, [tasks, way, size].

        Args:
          features: z of their examples, [tasks, way, shot, size].
          present: which examples there are; None for all.
          playing: bool [tasks, classes], base classes that are not attended to; None for none.
        """
        queries = unit(tf.tensordot(features, self.phi_q, 1))
        logits = self.gamma(tf.tensordot(queries, unit(self.keys), [[-1], [1]]))
        if playing is not None:
            logits = _without(logits, playing[:, tf.newaxis, tf.newaxis])
        attended = tf.tensordot(tf.nn.softmax(logits), unit(self.base_weights), 1)
        averages = [mean_of_examples(each, present) for each in (features, attended)]
        return self.phi_avg * averages[0] + self.phi_att * averages[1]

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by their scaled cosines with the weights."""
        return self.cosines(unit(self.embed(query)), params)

    def cosines(self, features: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Return the scaled cosines of features [tasks, n, size] with [(tasks,) m, size]."""
        return self.scale(tf.matmul(features, unit(weights), transpose_b=True))

    def task_loss(
        self, episodes: Episodes | EpisodesAndBase, noise: Noise | None = None
    ) -> MetaLoss:
        """What the stage's examples cost; without noise, the queries of episodes."""
        if noise is None:
            return super().task_loss(episodes)
        episodes, noise = self.cast(episodes, noise)
        base = unit(self.embed(episodes.base))
        scores = self.cosines(base, tf.convert_to_tensor(self.base_weights))
        first = tf.reduce_mean(self.losses(scores, episodes.base_labels), axis=1)
        second, accuracy = self._second_stage(episodes, tf.stop_gradient(base))
        losses = tf.where(noise["step"] < self.settings.base_steps, first, second)
        return MetaLoss(tf.reduce_mean(losses), losses, {"accuracy": accuracy})

    def _second_stage(self, episodes, base):
        """Return what examples of both kinds cost, given f of the base ones, and the accuracy."""
        flat, labels = flat_queries(episodes)
        query = tf.stop_gradient(unit(self.embed(flat)))
        support = tf.stop_gradient(unit(self.embed(episodes.support)))
        one_hot = tf.one_hot(episodes.classes, self.classes, True, False, dtype=tf.bool)
        playing = tf.reduce_any(one_hot, axis=1)
        new = self.weights_of(support, playing=playing)
        features = tf.concat([query, base], axis=1)
        of_new = self.cosines(features, new)
        of_base = self.cosines(features, tf.convert_to_tensor(self.base_weights))
        scores = tf.concat([of_new, _without(of_base, playing[:, tf.newaxis])], axis=-1)
        counted = tf.concat(
            [
                tf.ones_like(labels, tf.bool),
                ~tf.gather(playing, episodes.base_labels, axis=1, batch_dims=1),
            ],
            axis=1,
        )
        # An example of a class that plays another has a label, too, which does not count.
        every = tf.concat([labels, new.shape[1] + episodes.base_labels], axis=1)
        losses = self.losses(scores, tf.where(counted, every, 0))
        weights = tf.cast(counted, losses.dtype)
        costs = tf.reduce_sum(weights * losses, axis=1) / tf.reduce_sum(weights, axis=1)
        return costs, share_right(of_new[:, : labels.shape[1]], labels)

    def update(self, loss: tf.Tensor, gradients: list[tf.Tensor]) -> Update:
        """Move the variables, see `MetaModel.update`; in the second stage not the embedding."""
        fixed = self.optimizer.iterations >= self.settings.base_steps
        before = [tf.convert_to_tensor(v.value) for v in self.embed.trainable_variables]
        updated = super().update(loss, gradients)
        for variable, value in zip(self.embed.trainable_variables, before, strict=True):
            variable.assign(tf.where(fixed, value, variable.value))
        return updated

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def _without(scores, gone):
    """Return scores with those of classes that are gone out of the softmax."""
    return tf.where(gone, tf.constant(NEVER, scores.dtype), scores)


def build(settings: DynamicSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and its classes."""
    return Dynamic(train.dim, train.num_classes, settings).classifier()
