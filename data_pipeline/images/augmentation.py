"""Pictures changed at random, as training sees them: moved, mirrored, in other light."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may be changed of a picture.

    Attributes:
      shift: pixels that it is moved by, at most, in each direction.
      mirror: whether every other picture is mirrored, left to right.
      jitter: by how much brightness, contrast and saturation differ, at most, as a share; 0 is not.
      reflect: whether what comes in at a border is the picture's mirror image; else it is 0.
    """

    shift: int
    mirror: bool = False
    jitter: float = 0.0
    reflect: bool = False

    def __call__(self, pictures: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Change pictures [n, height, width, channels], 0 to 255, as the seed [2] says."""
        seeds = tf.unstack(tf.random.split(seed, 3))
        changed = self._moved(tf.cast(pictures, tf.float32), seeds[0])
        if self.mirror:
            coin = tf.random.stateless_uniform((tf.shape(pictures)[0], 1, 1, 1), seeds[1]) < 0.5
            changed = tf.where(coin, changed[:, :, ::-1], changed)
        return self._lit(changed, seeds[2]) if self.jitter else changed

    def _moved(self, pictures, seed):
        """Move each picture by up to `shift` pixels."""
        count, (height, width) = tf.shape(pictures)[0], pictures.shape[1:3]
        around = (self.shift, self.shift)
        mode = "REFLECT" if self.reflect else "CONSTANT"
        padded = tf.pad(pictures, ((0, 0), around, around, (0, 0)), mode)
        most = 2 * self.shift + 1
        start = tf.random.stateless_uniform((count, 2), seed, maxval=most, dtype=tf.int32)
        rows, columns = start[:, :1] + tf.range(height), start[:, 1:] + tf.range(width)
        return tf.gather(
            tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1
        )

    def _lit(self, pictures, seed):
        """Change the brightness, the contrast and the saturation of each picture."""
        shape = (3, tf.shape(pictures)[0], 1, 1, 1)
        low, high = 1 - self.jitter, 1 + self.jitter
        light, contrast, saturation = tf.unstack(
            tf.random.stateless_uniform(shape, seed, low, high)
        )
        grey = tf.reduce_mean(pictures, -1, keepdims=True)
        pictures = light * (grey + saturation * (pictures - grey))
        mean = tf.reduce_mean(pictures, (1, 2, 3), keepdims=True)
        return tf.clip_by_value(mean + contrast * (pictures - mean), 0, 255)
