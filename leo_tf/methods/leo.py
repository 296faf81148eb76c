"""LEO (Rusu et al., ICLR 2019), as published: a linear classifier over embeddings.

What the paper's table 2 leaves out of it are settings: loops of no step, `deterministic` and
`random_prior`. With either the encoder penalty and the others stay as they are.

The paper does not say how a random prior is tested. Here z_0 is then one draw of N(0, 1) for each
position, a class's number and an example's: the same in every task and call, so that a result can
be repeated, and so that the scores depend on the order of the classes.
"""

import dataclasses
from typing import Any

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import Episodes, class_labels
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.leo.decoder import Decoder
from leo_tf.leo.encoder import ClassEncoder, Prior
from leo_tf.leo.model import LEO, Adaptation
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.float_types import check_dtype
from leo_tf.meta.learner import LinearClassifier
from leo_tf.meta.model import MetaModel
from leo_tf.meta.noise import Declared, Mask, Normal, fixed_normals
from leo_tf.meta.raw_support import RawSupport, adapt_raw
from leo_tf.meta.serialisation import registered


@registered
class LEOClassifier(RawSupport, LEO):
    """LEO with a linear classifier over embeddings (paper, section 4.2).

    Called, it takes raw embeddings, as its SavedModel does; `adapt` takes normalised ones.

    Args:
      dim: size of an embedding. The released ones have 640.
      dtype: of the variables and the computation: float32 or float64, as Keras takes it.
      name: of the model.
      **settings: see `leo_tf.config.methods.leo.LEOSettings`.

    Example:

    >>> model = LEOClassifier(dim=640, dropout_rate=0.3)
    >>> model.compile(optimizer=model.make_optimizer(), jit_compile=True)
    >>> model.fit(training_data, steps_per_epoch=1000)
    """

    def __init__(
        self, dim: int, *, dtype: Any = None, name: str | None = None, **settings: Any
    ) -> None:
        check_dtype(dtype)
        checked = LEOSettings(**settings)
        if checked.random_prior:
            encoder = Prior(checked.num_latents, dtype=dtype, name="prior")
        else:
            encoder = ClassEncoder(dim, checked.num_latents, dtype=dtype, name="class_encoder")
        decoder = Decoder(dim, dtype=dtype, name="decoder")
        decoder.build((None, None, None, checked.num_latents))
        super().__init__(
            encoder,
            decoder,
            LinearClassifier(),
            checked,
            dropout_rate=checked.dropout_rate,
            dtype=dtype,
            name=name,
        )
        self.input_dim = dim

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare what a training step draws; no masks where nothing is dropped.

        U and F being the lengths of the latent and the fine-tuning loop, the support is evaluated
        once per step of either, so that U + F masks are needed: the published code's last two
        draws, which feed nothing, are left out. So is what a variant does not use.
        """
        *support, dim = shapes.support
        latent_steps, rate = self.settings.inner_unroll_length, self.dropout_rate
        steps = latent_steps + self.settings.finetuning_unroll_length
        spec = {
            "encoder_keep": Mask((*support, dim), rate),
            "latent": Normal((*support, self.settings.num_latents)),
            "decoder": (Normal((*support, dim)),) * (latent_steps + 1),
            "support_keep": (Mask((*support, dim), rate),) * steps,
            "query_keep": Mask(tuple(shapes.query), rate),
        }
        unused = {name for name in spec if name.endswith("_keep") and not rate}
        if self.settings.deterministic:
            unused |= {"latent", "decoder"}
        if self.settings.random_prior:
            unused.add("encoder_keep")
        return {name: declared for name, declared in spec.items() if name not in unused}

    def decoder_noise(self, noise: dict[str, tf.Tensor], decode: int) -> tf.Tensor | None:
        """Return the noise of one decode: each has its own; None where weights are their means."""
        return None if self.settings.deterministic else noise["decoder"][decode]

    def fixed_latent_noise(self, support: tf.Tensor) -> tf.Tensor | None:
        """Return z_0 where it is a draw at test, too: [way, shot, num_latents]."""
        if not self.settings.random_prior:
            return None
        _, way, shot, _ = tf.unstack(tf.shape(support))
        normals = fixed_normals("random_prior", way, shot, self.settings.num_latents)
        return tf.cast(normals, support.dtype)

    def adapt(
        self,
        support: tf.Tensor,
        labels: tf.Tensor | None = None,
        noise: dict[str, tf.Tensor] | None = None,
        present: tf.Tensor | None = None,
    ) -> Adaptation:
        """Fit classifiers to normalised support sets, see `LEO.adapt`.

        With a mask `present` the classes have unequal numbers K_n of examples: a class's code is
        the mean over its K_n codes of their mean relation to all present codes of the task, and it
        has K_n latents, over which logits are averaged.

        Args:
          support: [tasks, way, shot, dim].
          labels: int [tasks, way, shot]; by default the position of an example's class.
          noise: of the names in `noise_spec`; None for means and no dropout.
          present: bool or 0 and 1, [tasks, way, shot]; None for all.
        """
        if labels is None:
            labels = class_labels(tf.shape(support)[:3])
        return super().adapt(support, labels, noise, present)

    def call(self, support, labels=None, present=None):
        """Classifier weights for raw support sets, without noise: [tasks, way, dim]."""

        def adapt(support, present=None):
            return self.adapt(support, labels, present=present).params

        return adapt_raw(adapt, support, present)

    def get_config(self):
        config, settings = MetaModel.get_config(self), dataclasses.asdict(self.settings)
        del config["settings"]
        return {**config, "dim": self.input_dim, **settings}

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`."""

        def adapt(support, present=None):
            return self.adapt(support, present=present).params

        return Classifier(adapt, model=self)


def build(settings: LEOSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    model = LEOClassifier(train.dim, **dataclasses.asdict(settings))
    return model.classifier()
