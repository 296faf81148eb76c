"""Settings of SNAIL."""

import dataclasses

from leo_tf.config.methods.embedding import EmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class SNAILSettings(EmbeddingLearner):
    """SNAIL (Mishra et al. 2018) on a learned embedding; one model for each way and shot."""

    filters: int = setting(
        128, "filters of each temporal convolution", at_least=1, search=[32, 64, 128]
    )
    key_size: int = setting(
        64,
        "size of the first attention's keys; the second and third have 4 and 8 times as much, and "
        "values are half as large as keys",
        at_least=2,
        search=[16, 32, 64],
    )
