"""LEO for few-shot regression, where a latent generates every weight of a network, and MAML."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.config.experiments import Regression
from leo_tf.config.methods.leo_regression import LEORegressionSettings
from leo_tf.leo.model import LEO
from leo_tf.meta.float_types import check_dtype
from leo_tf.meta.model import MetaModel
from leo_tf.meta.noise import Declared, Normal
from leo_tf.meta.serialisation import registered
from leo_tf.methods.maml import MAML
from leo_tf.regression.layers import MLPDecoder, TaskEncoder
from leo_tf.regression.network import OneNetwork, SampledRegression, initial_parameters


@registered
class LEORegressor(LEO):
    """LEO with a generated multi-layer perceptron (paper, section 4.1).

    The decoder generates all weights and biases of f_theta from one latent code of the whole
    task. Noise of shape [tasks, samples, ...] gives that many networks of each task, each
    adapted by itself; without noise there is one, of the means. All decodes of a sample have the
    same noise: adaptation then moves one network, instead of chasing a new one at every step.

    Args:
      sizes: units of f_theta, input and output included; None for one input, one output and two
        hidden layers of `network_hidden` units.
      dtype: of the variables and the computation: float32 or float64, as Keras takes it.
      name: of the model.
      **settings: see `leo_tf.config.methods.leo_regression.LEORegressionSettings`.
    """

    def __init__(
        self,
        sizes: Sequence[int] | None = None,
        *,
        dtype: Any = None,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        check_dtype(dtype)
        checked = LEORegressionSettings(**settings)
        sizes = network_sizes(checked) if sizes is None else tuple(sizes)
        encoder = TaskEncoder(
            sizes[0],
            sizes[-1],
            checked.num_latents,
            checked.encoder_hidden,
            checked.relation_hidden,
            checked.input_scale,
            dtype=dtype,
            name="task_encoder",
        )
        decoder = MLPDecoder(
            sizes, checked.num_latents, checked.decoder_hidden, dtype=dtype, name="mlp_decoder"
        )
        super().__init__(
            encoder,
            decoder,
            SampledRegression(sizes, checked.energy_exponent),
            checked,
            inner_bound=checked.inner_bound,
            finetuning_bound=checked.finetuning_bound,
            dtype=dtype,
            name=name,
        )

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare what a training step draws: of each sample a latent's noise and a network's."""
        samples = shapes.support[0], self.settings.samples
        return {name: Normal((*samples, size)) for name, size in self._noise_sizes().items()}

    def decoder_noise(self, noise: dict[str, tf.Tensor], decode: int) -> tf.Tensor:
        """Return the noise of one decode: that of every other."""
        return noise["decoder"]

    def fixed_noise(self, samples: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the noise of the k-th sample of any task, the same in every call for all tasks.

        A task's samples then do not depend on the tasks beside it, nor on how many there are.

        Args:
          samples: integer, or an integer scalar tensor.

        Returns:
          Noise of [1, samples, ...].
        """
        return {
            name: tf.cast(
                tf.random.stateless_normal([1, samples, size], [0, i], alg="philox"),
                self.compute_dtype,
            )
            for i, (name, size) in enumerate(self._noise_sizes().items())
        }

    def get_config(self):
        config, settings = MetaModel.get_config(self), dataclasses.asdict(self.settings)
        del config["settings"]
        return {**config, "sizes": self.learner.sizes, **settings}

    def _noise_sizes(self):
        """Sizes of the noise of one sample, in the order in which it is drawn."""
        return {"latent": self.settings.num_latents, "decoder": self.decoder.dim}


def network_sizes(settings: LEORegressionSettings) -> tuple[int, ...]:
    """Return the units of the paper's network, input and output included."""
    return (1, settings.network_hidden, settings.network_hidden, 1)


def maml_regressor(
    settings: LEORegressionSettings,
    experiment: Regression,
    sizes: Sequence[int] | None = None,
) -> MAML:
    """Make the yardstick: MAML on the same network, with steps and rates of its own.

    Args:
      settings: LEO's, which have the network and the bounds of meta-gradients.
      experiment: its `maml_inner_steps`, `maml_inner_lr` and `maml_bound`.
      sizes: see `LEORegressor`.
    """
    sizes = network_sizes(settings) if sizes is None else tuple(sizes)
    return MAML(
        OneNetwork(sizes),
        initial_parameters(sizes),
        settings,
        unroll_length=experiment.maml_inner_steps,
        lr_init=experiment.maml_inner_lr,
        bound=experiment.maml_bound or None,
        name="maml",
    )
