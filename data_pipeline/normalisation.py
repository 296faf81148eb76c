"""Scale embeddings to unit length, whatever their size."""

import tensorflow as tf

# Bits of the fraction and of the exponent of a float, by type.
LAYOUTS = {tf.float32: (tf.int32, 23, 8), tf.float64: (tf.int64, 52, 11)}
ORDINARY = (2.0**-30, 2.0**100)  # between these, sums of squares have all their digits


def normalise(embeddings: tf.Tensor, mean: tf.Tensor | None = None) -> tf.Tensor:
    """Scale embeddings to a Euclidean norm of 1, as every method takes them: x / |x|.

    Each row is first multiplied by the inverse of the power of two below its largest entry. That
    is exact, so it leaves every bit of ordinary data as it is, and squares neither overflow nor
    vanish: rows multiplied by any number give the same result up to rounding, as long as their
    entries stay normal numbers of their type. The power is a constant to gradients, which are
    those of x / |x|.

    Args:
      embeddings: floats of any type, [..., dim]. Computed in float32 where they have 16 bits.
      mean: subtracted first, for methods that centre features: in the units of the raw embeddings,
        [dim] or what else broadcasts to them. None: nothing is.

    Returns:
      The shape and type of `embeddings`. A row of zeros, or of numbers too small to be normal,
      stays zero, with a gradient of zero; one that holds NaN or infinity becomes NaN.

    Raises:
      ValueError: if they are not floats, or have no axis.
    """
    x = tf.convert_to_tensor(embeddings)
    if not x.dtype.is_floating or x.shape.rank == 0:
        raise ValueError(f"embeddings must be floats [..., dim]; they are {x.dtype.name} {x.shape}")
    if x.dtype not in LAYOUTS:
        return tf.cast(normalise(tf.cast(x, tf.float32), mean), x.dtype)
    if mean is not None:
        x = _centred(x, tf.cast(mean, x.dtype))
    return tf.math.l2_normalize(x * _inverse_power(_largest(x)), axis=-1)


def normalise_data(embeddings: tf.Tensor, mean: tf.Tensor | None = None) -> tf.Tensor:
    """Do the same where speed counts and nobody asks for gradients: no bit of the result differs.

    Where no row needs scaling, as in ordinary data, it is spared, which halves the work. A
    choice at run time has poor gradients: none of second order when compiled, and those in a
    SavedModel are complained of.

    Args:
      embeddings, mean: see `normalise`.
    """
    x = tf.convert_to_tensor(embeddings)
    if mean is not None or x.dtype not in LAYOUTS or x.shape.rank == 0:
        return normalise(x, mean)
    squares = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
    ordinary = tf.reduce_all((squares > ORDINARY[0]) & (squares < ORDINARY[1]))
    return tf.cond(ordinary, lambda: x * tf.math.rsqrt(squares), lambda: normalise(x))


def _centred(x, mean):
    """Return x - mean, scaled row by row so that it cannot overflow."""
    scale = _inverse_power(tf.maximum(_largest(x), _largest(mean)))
    return x * scale - mean * scale


def _largest(x):
    """Return the largest magnitude of each row, [..., 1]."""
    # A third faster than the largest of the magnitudes, which are an array of their own.
    highest = tf.reduce_max(x, axis=-1, keepdims=True)
    return tf.maximum(highest, -tf.reduce_min(x, axis=-1, keepdims=True))


def _inverse_power(magnitude):
    """Return the inverse of the power of two below a magnitude; 0 below the normal numbers.

    Of the largest two magnitudes it is that of the power before: its own is not normal. What is not
    finite goes on as it is.
    """
    integer, fraction, exponent = LAYOUTS[magnitude.dtype]
    bias = 2 ** (exponent - 1) - 1
    power = tf.bitcast(magnitude, integer) // 2**fraction  # its exponent, shifted by the bias
    inverse = tf.where(power == 0, tf.zeros_like(power), tf.maximum(2 * bias - power, 1))
    return tf.bitcast(inverse * 2**fraction, magnitude.dtype)
