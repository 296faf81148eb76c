"""Settings of conditionally shifted neurons."""

import dataclasses

from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class ConditionallyShiftedSettings(MetaLearner):
    """Conditionally shifted neurons (Munkhdalai et al. 2018) in a network on embeddings."""

    shifted_layers: int = setting(
        1,
        "hidden layers of the network whose units are shifted, and of that of keys",
        search=[1, 2],
    )
    shifted_units: int = setting(
        64, "units of each hidden layer, and size of a key", at_least=1, search=(16, 256, "log")
    )
    value_units: int = setting(
        20,
        "units of the three hidden layers of the networks that make shifts of gradients",
        at_least=1,
        search=[20, 40],
    )
    cosine_keys: bool = setting(
        False, "attend by cosines of keys, times a learned factor, not by their products"
    )
    scale_init: float = setting(
        10.0,
        "initial value of the learned factor on the cosines of cosine_keys",
        above=0,
        search=(1.0, 100.0, "log"),
    )
    outer_lr: float = with_default(MetaLearner, "outer_lr", 1e-3)
