"""Classes with unequal numbers of examples: a mask tells which places of a support set are taken.

What a method computes from an absent example must change nothing, whatever numbers lie there: it
replaces them first (`zero_absent`) and leaves them out of its averages (`shares`).
"""

import tensorflow as tf

EMPTY_CLASS = "each class of each task needs at least one present example"
UNEQUAL = "all classes need equally many examples: this classifier takes no mask"


def as_mask(present: tf.Tensor, support: tf.Tensor) -> tf.Tensor:
    """Check a mask against its support set.

    Args:
      present: bool, or numbers of which 0 is absent: [tasks, way, shot].
      support: [tasks, way, shot, dim].

    Returns:
      The same as bool, [tasks, way, shot].

    Raises:
      ValueError: if the shapes differ, or a class has no present example; of values that are only
        known later, tf.errors.InvalidArgumentError.
    """
    mask = tf.cast(present, tf.bool)
    if not mask.shape.is_compatible_with(support.shape[:3]):
        raise ValueError(
            f"present must be [tasks, way, shot] as the support is, {_sizes(support.shape[:3])}; "
            f"it is {_sizes(mask.shape)}"
        )
    return _with_check(mask, tf.reduce_all(tf.reduce_any(mask, axis=-1)), EMPTY_CLASS)


def zero_absent(support: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Set absent examples to zero; neither their values nor gradients to them go further."""
    return tf.where(tf.expand_dims(mask, -1), support, tf.zeros([], support.dtype))


def shares(mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Weights of the mean over each class's present examples: [tasks, way, shot], of sum 1."""
    weights = tf.cast(mask, dtype)
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def mean_of_examples(values: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Mean over the examples of each class, of the present ones alone if there is a mask.

    Args:
      values: [tasks, way, shot, size], finite at absent examples, too.
      mask: bool [tasks, way, shot], or None.

    Returns:
      [tasks, way, size].
    """
    if mask is None:
        return tf.reduce_mean(values, axis=2)
    return tf.einsum("twk,twkl->twl", shares(mask, values.dtype), values)


def of_ragged(support: tf.RaggedTensor, dim: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a ragged support set with its classes filled up to one length, and its mask.

    Args:
      support: [tasks, way, (shot), dim], each class with its own number of examples.
      dim: size of an embedding; None for any.

    Raises:
      ValueError: if it has not four axes.
    """
    if support.shape.rank != 4:
        raise ValueError(
            f"a ragged support set must be [tasks, way, (shot), dim]; it has {support.shape.rank} "
            "axes"
        )
    counts = support.row_lengths(axis=2)
    counts = counts.to_tensor() if isinstance(counts, tf.RaggedTensor) else counts
    dense = support.to_tensor()
    if dim is not None:
        dense = tf.ensure_shape(dense, [None, None, None, dim])
    places = tf.range(tf.shape(dense)[2], dtype=tf.int32)
    return dense, places < tf.cast(counts, tf.int32)[..., tf.newaxis]


def all_present(support: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return a support set that was ragged, for who takes no mask; raise as `as_mask` does."""
    return _with_check(support, tf.reduce_all(mask), UNEQUAL)


def _with_check(tensor, condition, message):
    """Return the tensor; raise if the condition is not met, when it is known."""
    known = tf.get_static_value(condition)
    if known is not None and not known:
        raise ValueError(message)
    if known is not None:
        return tensor
    with tf.control_dependencies([tf.debugging.Assert(condition, [message])]):
        return tf.identity(tensor)


def _sizes(shape):
    return shape.as_list() if shape.rank is not None else "of unknown rank"
