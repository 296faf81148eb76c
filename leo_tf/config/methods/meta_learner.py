"""Settings that methods have in common."""

import dataclasses
from typing import ClassVar

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class Method(Settings):
    """A method without settings."""

    trained: ClassVar[bool] = False  # by steps
    learns_base: ClassVar[bool] = False  # whether the classes that it is trained on decide it

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Declare the episodes of a training step, given those of the experiment.

        Told from the settings alone, so that sizes that the data do not allow are found at once.
        """
        return sizes

    def of_run(self, steps: int) -> "Method":
        """Return the settings in a run of so many steps, as many as a schedule may have."""
        return self


@dataclasses.dataclass(frozen=True)
class MetaLearner(Method):
    """A method whose variables are meta-learned by clipped outer steps of Adam."""

    trained: ClassVar[bool] = True
    learns_base: ClassVar[bool] = True

    outer_lr: float = setting(
        1e-4,
        "learning rate of the outer steps, which Adam takes; of reptile, epsilon at the start",
        above=0,
        search=(1e-5, 1e-2, "log"),
    )
    gradient_threshold: float = setting(0.1, "bound on each entry of a meta-gradient; 0 for none")
    gradient_norm_threshold: float = setting(
        0.1, "bound on the norm of each variable's meta-gradient; 0 for none"
    )
