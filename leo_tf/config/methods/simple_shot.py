"""Settings of SimpleShot."""

import dataclasses
from typing import ClassVar

from leo_tf.config.methods.meta_learner import Method


@dataclasses.dataclass(frozen=True)
class SimpleShotSettings(Method):
    """SimpleShot (Wang et al. 2019), which takes the base classes' mean and has nothing to set."""

    learns_base: ClassVar[bool] = True
