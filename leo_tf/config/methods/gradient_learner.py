"""Settings of methods that adapt a small softmax classifier to a task by gradient steps."""

import dataclasses

from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class SoftmaxLearnerSettings(MetaLearner):
    """A method that adapts a `leo_tf.meta.softmax_learner.SoftmaxLearner`."""

    learner_units: int = setting(
        64,
        "units of the hidden ReLU layer of the classifier that is adapted; 0 for a linear one",
        search=[0, 32, 64, 128],
    )
    per_unit: bool = setting(
        False,
        "learn an initial output vector for each position of a class in its episode, as the "
        "original methods do, instead of one that all share; serves the --way of training alone",
    )


@dataclasses.dataclass(frozen=True)
class InnerSteps(SoftmaxLearnerSettings):
    """One whose steps are counted apart for training and for testing."""

    inner_steps: int = setting(5, "gradient steps of the inner loop in training, S", search=(1, 10))
    inner_test_steps: int = setting(
        10, "gradient steps of the inner loop in validation and testing", search=(1, 50)
    )


@dataclasses.dataclass(frozen=True)
class GradientLearner(InnerSteps):
    """One whose steps are of plain gradient descent at one rate."""

    inner_rate: float = setting(
        1.0,
        "step size of the inner loop, which descends the support's mean cross-entropy; of reptile, "
        "the learning rate of its Adam",
        search=(0.01, 100.0, "log"),
    )
