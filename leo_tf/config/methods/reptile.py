"""Settings of Reptile."""

import dataclasses

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.gradient_learner import GradientLearner
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class ReptileSettings(GradientLearner):
    """Reptile (Nichol et al. 2018) of a softmax classifier on embeddings."""

    inner_steps: int = with_default(GradientLearner, "inner_steps", 8)
    inner_test_steps: int = with_default(GradientLearner, "inner_test_steps", 50)
    inner_rate: float = with_default(GradientLearner, "inner_rate", 0.01, search=(1e-4, 0.1, "log"))
    inner_batch: int = setting(
        10, "images of a step of the inner loop in training", at_least=1, search=(5, 25)
    )
    images_per_class: int = setting(
        15, "images of a class that a task of training has, whatever the shot", at_least=1
    )
    schedule_steps: int = setting(
        0,
        "outer steps in which epsilon falls to 0, evenly; later ones change nothing; 0: as many as "
        "the run has when it begins",
    )
    outer_lr: float = with_default(GradientLearner, "outer_lr", 1.0, search=(0.1, 1.0))
    gradient_threshold: float = with_default(GradientLearner, "gradient_threshold", 0.0)
    gradient_norm_threshold: float = with_default(GradientLearner, "gradient_norm_threshold", 0.0)

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Declare tasks of many images a class, and no more queries than an episode must have."""
        return sizes._replace(shot=self.images_per_class, queries=1)

    def of_run(self, steps: int) -> "ReptileSettings":
        """Let epsilon fall over the whole run, unless told otherwise."""
        return dataclasses.replace(self, schedule_steps=self.schedule_steps or steps)
