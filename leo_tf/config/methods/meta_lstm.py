"""Settings of the meta-learner LSTM."""

import dataclasses

from leo_tf.config.methods.gradient_learner import SoftmaxLearnerSettings
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class MetaLSTMSettings(SoftmaxLearnerSettings):
    """A learned optimizer (Ravi and Larochelle 2017) of a softmax classifier, a linear one."""

    # Not searched: a hidden layer has ten times as many numbers, each with an LSTM's states.
    learner_units: int = with_default(SoftmaxLearnerSettings, "learner_units", 0, search=None)
    lstm_steps: int = setting(
        0,
        "steps of the learned optimizer; 0: 12 where a class has one example, else 5, as the paper",
        search=(1, 12),  # what an outer step takes grows with steps times units
    )
    lstm_units: int = setting(
        20,
        "units of the LSTM that reads a coordinate's gradients",
        at_least=1,
        search=[5, 10, 20],
    )
    step_scale: float = setting(
        100.0,
        "factor on the input gate, which is near 0.01 at first: its product with the gradient is a "
        "step",
        above=0,
        search=(1.0, 1000.0, "log"),
    )
    outer_lr: float = with_default(MetaLearner, "outer_lr", 1e-3)
    gradient_threshold: float = with_default(MetaLearner, "gradient_threshold", 0.0)
    gradient_norm_threshold: float = with_default(MetaLearner, "gradient_norm_threshold", 0.0)
    global_norm_threshold: float = setting(
        0.25, "bound on the norm of all meta-gradients together; 0 for none"
    )
