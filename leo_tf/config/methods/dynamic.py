"""Settings of dynamic few-shot learning without forgetting."""

import dataclasses

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.embedding import ScaledEmbeddingLearner
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class DynamicSettings(ScaledEmbeddingLearner):
    """Weights of new classes by attention over base classes' (Gidaris & Komodakis 2018)."""

    attention_scale_init: float = setting(
        10.0,
        "initial value of the learned factor on the cosines of the attention, gamma",
        above=0,
        search=(1.0, 100.0, "log"),
    )
    base_steps: int = setting(
        500,
        "steps of the first stage, on the base classes; the embedding then stays as it is",
        search=[150, 500, 2000],
    )
    outer_lr: float = with_default(MetaLearner, "outer_lr", 0.001)

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Ask for as many base examples as an episode has queries."""
        return sizes._replace(base=sizes.way * sizes.queries)
