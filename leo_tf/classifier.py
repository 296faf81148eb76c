"""LEO for few-shot classification of embeddings, as published."""

import keras
import tensorflow as tf

from data_pipeline.episodes import class_labels
from leo_tf.decoder import Decoder
from leo_tf.encoder import Encoder, RelationNetwork
from leo_tf.learner import LinearClassifier
from leo_tf.leo import LEO
from leo_tf.stochastic import tfd


class ClassEncoder(keras.layers.Layer):
    """Encoder and relation network: one distribution per class, copied for every example.

    The published code draws a separate latent for each of the K examples of a class, all
    from the distribution of their class; the classifier averages over them.

    Call arguments:
      support: [tasks, way, shot, dim].
      labels: unused; the position of an example tells its class.

    Returns:
      `tfd.Normal` over latents, batch shape [tasks, way, shot, num_latents].
    """

    def __init__(self, dim, num_latents=64, **kwargs):
        super().__init__(**kwargs)
        self.encoder = Encoder(num_latents, dtype=self.dtype_policy, name="encoder")
        self.relation_network = RelationNetwork(dtype=self.dtype_policy, name="relation_network")
        self.encoder.build((None, None, None, dim))
        self.relation_network.build((None, None, None, num_latents))
        self.built = True

    def call(self, support, labels=None):
        distribution = self.relation_network(self.encoder(support))
        shot = tf.shape(support)[2]
        loc, scale = (
            tf.repeat(parameter[:, :, tf.newaxis], shot, axis=2)
            for parameter in (distribution.loc, distribution.scale)
        )
        return tfd.Normal(loc, scale)


class LEOClassifier(LEO):
    """LEO with a linear classifier over embeddings (paper, section 4.2).

    Args:
      dim: size of an embedding. The released ones have 640.
      num_latents: size L of a latent.
      dtype: float type of the variables and the computation.
      **kwargs: see `LEO`.

    Example:

    >>> model = LEOClassifier(dim=640, dropout_rate=0.3)
    >>> model.compile(optimizer=keras.optimizers.Adam(1e-4, epsilon=1e-8), jit_compile=True)
    >>> model.fit(training_data, steps_per_epoch=1000)
    """

    def __init__(self, dim, num_latents=64, dtype=None, **kwargs):
        encoder = ClassEncoder(dim, num_latents, dtype=dtype, name="class_encoder")
        decoder = Decoder(dim, dtype=dtype, name="decoder")
        decoder.build((None, None, None, num_latents))
        super().__init__(
            encoder, decoder, LinearClassifier(), num_latents=num_latents, dtype=dtype, **kwargs
        )
        self.built = True

    def call(self, support, labels=None):
        """Classifier weights for support sets, without noise: [tasks, way, dim]."""
        if labels is None:
            labels = class_labels(tf.shape(support)[:3])
        return self.adapt(support, labels).params
