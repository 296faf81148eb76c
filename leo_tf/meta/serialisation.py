"""What `model.save` and `keras.models.load_model` need: a configuration that makes a model again.

Keras finds a class by the name under which it is registered, once the module that defines it is
imported: `from leo_tf import LEOClassifier` before `keras.models.load_model(path)`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from leo_tf.config.methods.meta_learner import MetaLearner

registered = keras.saving.register_keras_serializable(package="leo_tf")  # decorates a class


def settings_config(settings: MetaLearner) -> dict[str, Any]:
    """Return a model's settings as plain values; `constructor_arguments` reverses it."""
    return {"settings_class": type(settings).__name__, **dataclasses.asdict(settings)}


def constructor_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a constructor, given a model's configuration.

    Raises:
      ValueError: if its settings are of a class that no imported module defines.
    """
    return {name: _argument(value) for name, value in config.items()}


def _argument(value):
    if isinstance(value, dict) and "settings_class" in value:
        values = dict(value)
        return _settings_class(values.pop("settings_class"))(**values)
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value


def _settings_class(name):
    """Find a settings class by its name, among those that exist: nothing is imported."""
    left = [MetaLearner]
    while left:
        found = left.pop()
        if found.__name__ == name:
            return found
        left += found.__subclasses__()
    raise ValueError(f"no settings class {name!r}; import the module that defines the model first")
