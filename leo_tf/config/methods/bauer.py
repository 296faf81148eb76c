"""Settings of Bauer et al.'s prior on the weights of new classes."""

import dataclasses
from typing import ClassVar

from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class BauerSettings(Method):
    """A Gaussian over the base classes' weights as the prior of new ones (Bauer et al. 2017)."""

    learns_base: ClassVar[bool] = True

    base_penalty: float = setting(
        1e-4,
        "L2 penalty of the base classes' softmax regression: the factor on |W|^2 / 2 beside the "
        "mean cross-entropy; the smaller, the wider the prior",
        above=0,
        below=1,
        search=(1e-6, 1e-2, "log"),
    )
    prior_rank: int = setting(
        0,
        "directions in which the prior has variances of its own; 0 for an isotropic prior",
        search=[0, 4, 16],
    )
    laplace_samples: int = setting(
        0, "draws from the Laplace approximation of the posterior to average; 0: its mode alone"
    )
