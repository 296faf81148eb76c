"""The float types that models compute in, and how what they are given comes to be of theirs."""

from typing import Any

import keras
import tensorflow as tf

from data_pipeline.episodes import Episodes, EpisodesAndBase

ALLOWED = ("float32", "float64")


def check_dtype(dtype: Any) -> None:
    """Raise a ValueError, one line, if models cannot compute in a type.

    Args:
      dtype: as Keras takes it: a name, a type or a `DTypePolicy`; None for Keras's own policy.
    """
    try:
        policy = keras.dtype_policies.get(dtype)
    except (ValueError, TypeError):
        policy = None
    plain = type(policy) is keras.dtype_policies.DTypePolicy
    if plain and policy.compute_dtype in ALLOWED and policy.variable_dtype == policy.compute_dtype:
        return
    name = getattr(policy, "name", dtype)
    whose = "Keras's policy is" if dtype is None else "dtype is"
    raise ValueError(
        f"{whose} {name!r}: models compute in float32 or float64, as gradients of gradients lose "
        "their digits in fewer bits; give dtype='float32'"
    )


def as_inputs(values: Any, dtype: str) -> tf.Tensor:
    """Return examples as a tensor of a float type; ValueError, one line, if they are no numbers."""
    tensor = tf.convert_to_tensor(values)
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        raise ValueError(f"examples must be numbers, not {tensor.dtype.name}")
    return tf.cast(tensor, dtype)


def cast_floats(values: Any, dtype: str) -> Any:
    """Return a structure of arrays and tensors with its floats of one type, the rest as it is."""

    def cast(value):
        if value is None:
            return None
        tensor = tf.convert_to_tensor(value)
        return tf.cast(tensor, dtype) if tensor.dtype.is_floating else tensor

    return tf.nest.map_structure(cast, values)


def cast_episodes(episodes: Episodes | EpisodesAndBase, dtype: str) -> Episodes | EpisodesAndBase:
    """Return episodes with examples of one float type; labels that are integers stay so."""
    return type(episodes)(
        as_inputs(episodes.support, dtype),
        cast_floats(episodes.support_labels, dtype),
        as_inputs(episodes.query, dtype),
        cast_floats(episodes.query_labels, dtype),
        *cast_floats(episodes[4:], dtype),
    )
