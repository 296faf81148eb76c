"""Settings of the transductive propagation network."""

import dataclasses

from leo_tf.config.methods.embedding import EmbeddingLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class TPNSettings(EmbeddingLearner):
    """Transductive propagation network (Liu et al. 2019) on a learned embedding."""

    neighbours: int = setting(
        20,
        "entries k of each row of the graph that are kept, an example's own among them; at most "
        "the examples there are",
        at_least=1,
        search=[5, 10, 20, 40],
    )
    propagation: float = setting(
        0.99, "alpha of the label propagation, below 1", below=1, search=[0.5, 0.9, 0.99]
    )
    width_init: float = setting(
        0.5,
        "length sigma of an example before training, by which its embedding is divided",
        above=0,
        search=(0.05, 2.0, "log"),
    )
    width_units: int = setting(
        8, "hidden units of the network that gives an example's sigma", at_least=1, search=[8, 32]
    )
