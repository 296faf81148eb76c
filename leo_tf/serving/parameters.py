"""Whether the parameters of an estimator make sense: checked when it computes."""

import math
import numbers
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from leo_tf.serving.few_shot_classifier import FewShotClassifier


def check(estimator: "FewShotClassifier") -> None:
    """Raise a ValueError, one line, of a parameter that makes no sense."""
    temperature, least = estimator.temperature, estimator.reject_below
    if temperature is not None and not (_is_number(temperature) and 0 < temperature < math.inf):
        raise ValueError(f"temperature must be above 0 or None, not {temperature!r}")
    if least is not None and not (_is_number(least) and 0 <= least <= 1):
        raise ValueError(f"reject_below must be from 0 to 1 or None, not {least!r}")


def check_unknown(estimator: "FewShotClassifier", classes: np.ndarray) -> None:
    """Raise a ValueError, one line, if the label of the unknown is a class's.

    Args:
      estimator: what is fitted.
      classes: labels [classes].
    """
    if estimator.reject_below is not None and estimator.unknown_label in classes.tolist():
        raise ValueError(
            f"unknown_label {estimator.unknown_label!r} is the label of a class; choose another"
        )


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
