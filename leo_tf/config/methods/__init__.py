"""The few-shot classifiers: what --method may be, and the settings of each."""

from typing import Any, NamedTuple

from leo_tf.config.methods.leo import LEOSettings
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.methods.prototypical import PrototypicalSettings


class Entry(NamedTuple):
    """A line of the table of methods."""

    title: str  # in reports
    file: str  # leo_tf/methods/<file>.py has a classifier's `build`; presets go by it, too
    settings: type[Method]
    changes: dict[str, Any] = {}  # of its settings' defaults: what makes it another method


METHODS = {  # by the value of --method
    "leo": Entry("LEO", "leo", LEOSettings),
    "leo_no_finetuning": Entry(
        "LEO (no fine-tuning)", "leo", LEOSettings, {"finetuning_unroll_length": 0}
    ),
    "nearest_centroid": Entry("nearest centroid", "nearest_centroid", Method),
    "prototypical": Entry("prototypical networks", "prototypical", PrototypicalSettings),
}
DEFAULT = "leo"
BASELINE = "nearest_centroid"  # what every result is set beside: it needs no training
