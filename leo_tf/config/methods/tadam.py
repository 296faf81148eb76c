"""Settings of TADAM."""

import dataclasses
import math

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.embedding import EmbeddingLearner, ScaledEmbeddingLearner
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class TADAMSettings(ScaledEmbeddingLearner):
    """TADAM (Oreshkin et al. 2018) on a learned embedding with a hidden layer."""

    hidden_units: int = with_default(EmbeddingLearner, "hidden_units", 128)
    task_layers: int = setting(
        3, "layers of the networks from a task's embedding to a layer's factors", at_least=1
    )
    conditioning_penalty_weight: float = setting(
        0.01,
        "weight of the L2 penalty on gamma_0 and beta_0, how much a task changes a layer",
        search=(1e-4, 1.0, "log"),
    )
    auxiliary_probability: float = setting(
        0.9,
        "p of an extra step that classifies base classes, p^(1 + floor(20 t / T)) at step t; 0 for "
        "none",
        below=1,
        search=[0.0, 0.9],
    )
    auxiliary_steps: int = setting(
        0,
        "steps T over which extra steps grow rarer; the last probability stays; 0: as many as the "
        "run has when it begins",
    )
    auxiliary_examples: int = setting(64, "examples of base classes in an extra step", at_least=1)
    auxiliary_lr: float = setting(
        1.0, "rate of the extra steps, of clipped gradient descent", search=(0.01, 10.0, "log")
    )

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Ask for base examples beside the episodes, at least as many as an extra step takes."""
        if not self.auxiliary_probability:
            return sizes
        return sizes._replace(base=math.ceil(self.auxiliary_examples / sizes.tasks))

    def of_run(self, steps: int) -> "TADAMSettings":
        """Let extra steps grow rarer over the whole run, unless told otherwise."""
        return dataclasses.replace(self, auxiliary_steps=self.auxiliary_steps or steps)
