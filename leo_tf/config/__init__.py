"""What a run is asked to compute: settings, their defaults, bounds and presets. No TensorFlow."""

from leo_tf.config.configuration import Config, config_from_flat, make_config

__all__ = ["Config", "config_from_flat", "make_config"]
