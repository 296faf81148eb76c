"""Settings of FEAT."""

import dataclasses

from leo_tf.config.methods.embedding import ScaledEmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class FEATSettings(ScaledEmbeddingLearner):
    """Prototypes adapted by self-attention (Ye et al. 2020) on a learned embedding."""

    attention_dropout: float = setting(
        0.5, "share of the attention's outputs dropped in training", below=1, search=(0.0, 0.7)
    )
    layer_norm: bool = setting(
        True, "normalise the layer of adapted prototypes", search=[False, True]
    )
    contrast_weight: float = setting(
        0.1, "weight of the contrastive term", search=(1e-3, 1.0, "log")
    )
    contrast_scale: float = setting(
        10.0, "factor on the contrastive term's distances, fixed", above=0, search=[10.0, 20.0]
    )
