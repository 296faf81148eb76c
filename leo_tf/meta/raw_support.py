"""Raw support sets as people have them: checked, normalised once, and given to a method."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.normalisation import normalise
from leo_tf.meta.presence import all_present, as_mask, of_ragged, zero_absent


class RawSupport:
    """Mix-in of Keras models that are called with raw embeddings, `model(support, present=None)`.

    It refuses what is no support set before Keras wraps the message in its own. The model's `call`
    gets a tensor [tasks, way, shot, dim], and a mask or none; see `adapt_raw`.
    """

    input_dim: int | None = None  # size of an embedding; None for any

    def __call__(self, support, *args, present=None, **kwargs):
        if isinstance(support, keras.KerasTensor):
            return super().__call__(support, *args, present=present, **kwargs)
        support, present = checked(support, present, self.input_dim)
        masked = {} if present is None else {"present": present}
        return super().__call__(support, *args, **masked, **kwargs)


def checked(
    support: Any, present: Any = None, dim: int | None = None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return a support set and its mask as tensors.

    Args:
      support: floats [tasks, way, shot, dim], in lists, an array or a tensor; or a RaggedTensor
        [tasks, way, (shot), dim], which says itself what is present.
      present: see `presence.as_mask`; None for all.
      dim: size of an embedding; None for any.

    Raises:
      ValueError: one line about what is wrong with either.
    """
    if isinstance(support, tf.RaggedTensor):
        if present is not None:
            raise ValueError("a ragged support set says itself what is present; give no mask")
        support, present = of_ragged(support, dim)
    elif not tf.is_tensor(support):
        support = _array(support)
    if not support.dtype.is_floating:
        raise ValueError(
            f"support must be floats [tasks, way, shot, dim]; it is {support.dtype.name}"
        )
    _check_shape(support.shape, dim)
    return support, None if present is None else as_mask(present, support)


def adapt_raw(
    adapt: Callable[..., Any],
    support: tf.Tensor,
    present: tf.Tensor | None = None,
    prepare: Callable[[tf.Tensor], tf.Tensor] = normalise,
) -> Any:
    """Normalise a raw support set, once, and adapt to it.

    Args:
      adapt: a method's, see `leo_tf.meta.classifier.Classifier`.
      support, present: what `checked` returns. Absent examples may hold anything.
      prepare: how to normalise.

    Returns:
      What `adapt` returns.

    Raises:
      ValueError: if an example is absent and `adapt` takes no mask, see `all_present`.
    """
    if present is not None and not takes_present(adapt):
        support, present = all_present(support, present), None
    if present is None:
        return adapt(prepare(support))
    # Before they are normalised, too: what comes from NaN times a gradient of 0 is NaN.
    return adapt(prepare(zero_absent(support, present)), present=present)


def takes_present(adapt: Callable[..., Any]) -> bool:
    """Return whether a method's `adapt` can leave absent examples out."""
    return "present" in inspect.signature(adapt).parameters


def _array(support):
    try:
        array = np.asarray(support)
    except ValueError:
        array = None
    if array is None or array.dtype == object:
        raise ValueError(
            "support must be an array [tasks, way, shot, dim]; where classes have unequal numbers "
            "of examples, fill them up and give the mask `present`, or give a RaggedTensor"
        )
    return tf.convert_to_tensor(array)


def _check_shape(shape, dim):
    if shape.rank is not None and shape.rank != 4:
        remedy = "; of a single task, give support[None]" if shape.rank == 3 else ""
        raise ValueError(
            f"support must be [tasks, way, shot, dim]; it has the shape {shape.as_list()}{remedy}"
        )
    if shape.rank is not None and 0 in shape.as_list()[1:3]:
        raise ValueError(
            f"each task needs a class, and each class an example; it has {shape.as_list()}"
        )
    if dim is not None and shape.rank is not None and shape[-1] not in (None, dim):
        raise ValueError(
            f"the embeddings of the support have size {shape[-1]}, the model takes size {dim}"
        )
