"""LEO's inner loops cut short: the same model with fewer steps."""

from typing import Any

from leo_tf.leo.model import LEO
from leo_tf.meta.serialisation import twin


def of_latents(model: LEO, dtype: Any = None) -> list[LEO]:
    """Return models that stop after 0 ... U latent steps, U being those of `model`.

    Args:
      model: trained; it stays as it is.
      dtype: what the models compute in; None for what `model` does.
    """
    return [_with_steps(model, steps, 0, dtype) for steps in range(_lengths(model)[0] + 1)]


def of_parameters(model: LEO, dtype: Any = None) -> list[LEO]:
    """Return models that take all latent steps and then 1 ... F on the parameters; see above."""
    latent_steps, rest = _lengths(model)
    return [_with_steps(model, latent_steps, 1 + steps, dtype) for steps in range(rest)]


def _lengths(model):
    settings: Any = model.settings
    return settings.inner_unroll_length, settings.finetuning_unroll_length


def _with_steps(model, inner, finetuning, dtype):
    lengths = {"inner_unroll_length": inner, "finetuning_unroll_length": finetuning}
    return twin(model, dtype or model.compute_dtype, **lengths)
