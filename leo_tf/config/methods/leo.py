"""Settings of LEO: those of every LEO, and of the linear classifier's."""

import dataclasses

from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting


@dataclasses.dataclass(frozen=True)
class LatentOptimization(MetaLearner):
    """Latent Embedding Optimization, whatever it generates (paper, section 2.3)."""

    num_latents: int = setting(64, "size of a latent", at_least=1, search=(16, 128, "log"))
    inner_unroll_length: int = setting(5, "steps of the inner loop in latent space")
    finetuning_unroll_length: int = setting(
        5, "steps of the inner loop on the generated parameters"
    )
    inner_lr_init: float = setting(
        1.0, "initial step size in latent space, alpha of algorithm 1; meta-learned"
    )
    finetuning_lr_init: float = setting(
        0.001, "initial step size on the generated parameters; meta-learned"
    )
    kl_weight: float = setting(
        1e-3,
        "weight of the KL divergence of the latents (beta of equation 6)",
        search=(1e-3, 10.0, "log"),
    )
    encoder_penalty_weight: float = setting(
        1e-9, "weight of the encoder penalty (gamma of equation 6)", search=(1e-9, 1e-3, "log")
    )
    l2_penalty_weight: float = setting(
        1e-8, "weight of the L2 penalty (lambda_1 of equation 7)", search=(1e-10, 1e-6, "log")
    )
    orthogonality_penalty_weight: float = setting(
        1e-3,
        "weight of the decoder's orthogonality penalty (lambda_2 of equation 7)",
        search=(1e-3, 10.0, "log"),
    )


@dataclasses.dataclass(frozen=True)
class LEOSettings(LatentOptimization):
    """LEO with a linear classifier over embeddings (paper, section 4.2), and its ablations.

    Raises:
      ValueError: one line, if latents are to be means and draws.
    """

    dropout_rate: float = setting(
        0.5, "share of the embeddings' entries dropped in training", below=1, search=(0.0, 0.7)
    )
    deterministic: bool = setting(
        False, "whether latents and weights are their means in training, too; there is no KL then"
    )
    random_prior: bool = setting(
        False, "whether latents start from draws of N(0, 1), which the support does not decide"
    )

    def __post_init__(self) -> None:
        """Check the fields, and that two of them agree."""
        super().__post_init__()
        if self.deterministic and self.random_prior:
            raise ValueError("deterministic takes means and random_prior draws; choose one of them")
