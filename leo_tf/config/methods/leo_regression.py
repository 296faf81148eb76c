"""Settings of LEO for regression, where a latent generates a whole network."""

import dataclasses

from leo_tf.config.methods.leo import LatentOptimization
from leo_tf.config.settings import setting, with_default


@dataclasses.dataclass(frozen=True)
class LEORegressionSettings(LatentOptimization):
    """LEO with a generated multi-layer perceptron (paper, section 4.1), as tuned here."""

    energy_exponent: float = setting(
        1.5,
        "exponent of the energy score that training minimises; large errors weigh the more, the "
        "greater it is",
        above=0,
        below=2,
    )
    samples: int = setting(3, "networks sampled for a task in training", at_least=1)
    network_hidden: int = setting(
        40, "units of the two hidden layers of the generated network", at_least=1
    )
    encoder_hidden: int = setting(64, "units of the encoder's hidden layers", at_least=1)
    relation_hidden: int = setting(128, "units of the relation network's hidden layers", at_least=1)
    decoder_hidden: int = setting(64, "units of the decoder's hidden layers", at_least=1)
    input_scale: float = setting(0.2, "factor on the points that the encoder sees", above=0)
    inner_bound: float = setting(
        100.0, "gradient norm at which a latent step reaches half its greatest length", above=0
    )
    finetuning_bound: float = setting(50.0, "the same for the steps on the weights", above=0)
    num_latents: int = with_default(LatentOptimization, "num_latents", 32)
    inner_unroll_length: int = with_default(LatentOptimization, "inner_unroll_length", 3)
    finetuning_unroll_length: int = with_default(LatentOptimization, "finetuning_unroll_length", 0)
    inner_lr_init: float = with_default(LatentOptimization, "inner_lr_init", 0.1)
    finetuning_lr_init: float = with_default(LatentOptimization, "finetuning_lr_init", 0.05)
    outer_lr: float = with_default(LatentOptimization, "outer_lr", 2e-4)
    encoder_penalty_weight: float = with_default(LatentOptimization, "encoder_penalty_weight", 1e-6)
