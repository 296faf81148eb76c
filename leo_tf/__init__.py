"""Latent Embedding Optimization (Rusu et al. 2019) in TensorFlow 2 and Keras 3.

The names in `__all__` are the public API. Each is imported when it is first asked for, so that
`import leo_tf`, and the `--help` of every command, stay free of TensorFlow's start-up time.
"""

import importlib
from typing import Any

from data_pipeline.version import __version__
from leo_tf.startup import import_keras

_MODULE_OF = {
    "FewShotClassifier": "leo_tf.serving.few_shot_classifier",
    "LEO": "leo_tf.leo.model",
    "LEOClassifier": "leo_tf.methods.leo",
    "LEORegressor": "leo_tf.regression.model",
    "MAML": "leo_tf.methods.maml",
    "load_pretrained": "leo_tf.serving.pretrained",
}
_WITHOUT_KERAS = ("FewShotClassifier", "load_pretrained")  # until they compute

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    """Import the public name on first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _WITHOUT_KERAS:
        import_keras()
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
