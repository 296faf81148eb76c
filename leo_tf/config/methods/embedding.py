"""Settings of methods that learn an embedding of the embeddings they are given."""

import dataclasses

from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class EmbeddingLearner(MetaLearner):
    """A method that compares examples by a small learned network f, linear by default."""

    embedding_size: int = setting(
        64, "size H of the learned embedding f(x)", at_least=1, search=(16, 512, "log")
    )
    hidden_units: int = setting(
        0, "units of a hidden ReLU layer of f; 0 for a linear f", search=[0, 128, 512]
    )


@dataclasses.dataclass(frozen=True)
class ScaledEmbeddingLearner(EmbeddingLearner):
    """One whose logits are cosines or distances, times a learned positive scale."""

    scale_init: float = setting(
        10.0,
        "initial value of the learned factor on cosines or distances",
        above=0,
        search=(1.0, 100.0, "log"),
    )
