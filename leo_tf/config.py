"""The configuration of a run: published hyperparameters and presets, and their checks."""

import dataclasses
import math

PUBLISHED = {
    ("miniImageNet", 1): {
        "outer_lr": 2.739071e-4,
        "l2_penalty_weight": 3.623413e-10,
        "orthogonality_penalty_weight": 0.188103,
        "dropout_rate": 0.307651,
        "kl_weight": 0.756143,
        "encoder_penalty_weight": 5.756821e-6,
    },
    ("miniImageNet", 5): {
        "outer_lr": 4.102361e-4,
        "l2_penalty_weight": 8.540338e-9,
        "orthogonality_penalty_weight": 1.523998e-3,
        "dropout_rate": 0.300299,
        "kl_weight": 0.466387,
        "encoder_penalty_weight": 2.661608e-7,
    },
    ("tieredImageNet", 1): {
        "outer_lr": 8.659053e-4,
        "l2_penalty_weight": 4.148858e-10,
        "orthogonality_penalty_weight": 5.451078e-3,
        "dropout_rate": 0.475126,
        "kl_weight": 2.034189e-3,
        "encoder_penalty_weight": 8.302962e-5,
    },
    ("tieredImageNet", 5): {
        "outer_lr": 6.110314e-4,
        "l2_penalty_weight": 1.690399e-10,
        "orthogonality_penalty_weight": 2.481216e-2,
        "dropout_rate": 0.415158,
        "kl_weight": 1.622811,
        "encoder_penalty_weight": 2.672450e-5,
    },
}

# Tuned on the meta-validation split of glyphs.
GLYPHS = {
    "steps": 6_000,
    "outer_lr": 1e-3,
    "dropout_rate": 0.3,
    "kl_weight": 1e-2,
    "orthogonality_penalty_weight": 1e-2,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes."""

    dataset: str = "glyphs"
    crop: str = "center"
    way: int = 5
    shot: int = 1
    seed: int = 0
    train_on_val: bool = False  # train on train and val together
    steps: int = 100_000  # outer steps
    validate_every: int = 1000  # outer steps
    validation_episodes: int = 2000
    test_episodes: int = 10_000
    tasks: int = 12  # episodes in a training meta-batch
    queries: int = 15  # query examples per class in training
    num_latents: int = 64
    inner_unroll_length: int = 5
    finetuning_unroll_length: int = 5
    inner_lr_init: float = 1.0
    finetuning_lr_init: float = 0.001
    outer_lr: float = 1e-4
    dropout_rate: float = 0.5
    kl_weight: float = 1e-3  # beta
    encoder_penalty_weight: float = 1e-9  # gamma
    l2_penalty_weight: float = 1e-8  # lambda_1
    orthogonality_penalty_weight: float = 1e-3  # lambda_2
    gradient_threshold: float = 0.1
    gradient_norm_threshold: float = 0.1

    def model_settings(self):
        """The arguments of `LEOClassifier` that this configuration sets."""
        names = (
            "num_latents",
            "inner_unroll_length",
            "finetuning_unroll_length",
            "inner_lr_init",
            "finetuning_lr_init",
            "dropout_rate",
            "kl_weight",
            "encoder_penalty_weight",
            "l2_penalty_weight",
            "orthogonality_penalty_weight",
            "gradient_threshold",
            "gradient_norm_threshold",
        )
        return {name: getattr(self, name) for name in names}


AT_LEAST_ONE = (
    "way",
    "shot",
    "steps",
    "validate_every",
    "validation_episodes",
    "test_episodes",
    "tasks",
    "queries",
    "num_latents",
)


def preset(dataset, shot):
    """Settings that differ from the defaults for a data set and shot: published or tuned ones."""
    if dataset == "glyphs":
        return GLYPHS
    return PUBLISHED.get((dataset, shot), {})


def make_config(**settings):
    """Build a checked `Config` from a preset and the settings that replace it.

    Args:
      **settings: fields of `Config`; None stands for the value of the preset of the data set
        and shot, or for the default.

    Raises:
      ValueError: one line, if a value makes no sense.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    identity = Config(**given)
    config = Config(**{**preset(identity.dataset, identity.shot), **given})
    for field in dataclasses.fields(config):
        check_setting(field.name, getattr(config, field.name))
    if config.way < 2:
        raise ValueError(f"way must be at least 2, not {config.way}: one class needs no classifier")
    return config


def check_setting(name, value):
    """Raise a ValueError, one line, if a setting's value makes no sense."""
    if isinstance(value, bool) or isinstance(value, str):
        return
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")
    if name in AT_LEAST_ONE and value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, it is {value}")
    if name == "dropout_rate" and value >= 1:
        raise ValueError(f"dropout_rate must be below 1, it is {value}")
    if name in ("outer_lr", "gradient_threshold", "gradient_norm_threshold") and value == 0:
        raise ValueError(f"{name} must be above 0")
