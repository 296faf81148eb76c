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


REGRESSION = "sines_and_lines"  # the name of the regression tasks where a data set is asked for


@dataclasses.dataclass(frozen=True)
class RegressionConfig:
    """Everything that decides what a regression run computes; the defaults are the preset."""

    dataset: str = REGRESSION
    seed: int = 0
    generator_steps: int = 6000  # outer steps without inner loops, before the others
    steps: int = 3000  # outer steps with them
    validate_every: int = 500  # outer steps
    validation_episodes: int = 400
    test_episodes: int = 1000
    test_samples: int = 50  # networks per task at the test
    generator_tasks: int = 64  # tasks in a meta-batch without inner loops
    generator_samples: int = 3  # networks per task then
    tasks: int = 24  # tasks in a meta-batch with them
    samples: int = 3  # networks per task then
    points: int = 5  # support points of a task
    queries: int = 32  # query points of a task in training
    network_hidden: int = 40  # units of both hidden layers of the generated network
    encoder_hidden: int = 64
    relation_hidden: int = 128
    decoder_hidden: int = 64
    input_scale: float = 0.2
    num_latents: int = 32
    inner_unroll_length: int = 5
    finetuning_unroll_length: int = 5
    inner_lr_init: float = 0.1
    finetuning_lr_init: float = 0.05
    inner_bound: float = 100.0
    finetuning_bound: float = 50.0
    generator_lr: float = 2e-3
    outer_lr: float = 2e-4
    warmup_steps: int = 200
    kl_weight: float = 1e-3  # beta
    encoder_penalty_weight: float = 1e-6  # gamma
    l2_penalty_weight: float = 1e-8  # lambda_1
    orthogonality_penalty_weight: float = 1e-3  # lambda_2
    gradient_threshold: float = 0.1
    gradient_norm_threshold: float = 0.1

    def model_settings(self):
        """The arguments of `LEORegressor` that this configuration sets."""
        names = (
            "encoder_hidden",
            "relation_hidden",
            "decoder_hidden",
            "input_scale",
            "num_latents",
            "inner_unroll_length",
            "finetuning_unroll_length",
            "inner_lr_init",
            "finetuning_lr_init",
            "inner_bound",
            "finetuning_bound",
            "kl_weight",
            "encoder_penalty_weight",
            "l2_penalty_weight",
            "orthogonality_penalty_weight",
            "gradient_threshold",
            "gradient_norm_threshold",
        )
        settings = {name: getattr(self, name) for name in names}
        return settings | {"network_hidden": (self.network_hidden, self.network_hidden)}


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
    "test_samples",
    "generator_tasks",
    "generator_samples",
    "samples",
    "points",
    "network_hidden",
    "encoder_hidden",
    "relation_hidden",
    "decoder_hidden",
)
ABOVE_ZERO = (
    "outer_lr",
    "generator_lr",
    "gradient_threshold",
    "gradient_norm_threshold",
    "input_scale",
    "inner_bound",
    "finetuning_bound",
)


def preset(dataset, shot):
    """Settings that differ from the defaults for a data set and shot: published or tuned ones."""
    if dataset == "glyphs":
        return GLYPHS
    return PUBLISHED.get((dataset, shot), {})


def make_config(**settings):
    """Build a checked configuration from a preset and the settings that replace it.

    Args:
      **settings: fields of `Config`, or of `RegressionConfig` for the dataset sines_and_lines;
        None stands for the value of the preset of the data set and shot, or for the default.

    Returns:
      A `Config` or a `RegressionConfig`.

    Raises:
      ValueError: one line, if a value makes no sense.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    kind = RegressionConfig if given.get("dataset") == REGRESSION else Config
    check_names(kind, given)
    config = kind(**given)
    if kind is Config:
        config = Config(**{**preset(config.dataset, config.shot), **given})
    for field in dataclasses.fields(config):
        check_setting(field.name, getattr(config, field.name))
    if kind is Config and config.way < 2:
        raise ValueError(f"way must be at least 2, not {config.way}: one class needs no classifier")
    return config


def check_names(kind, names):
    """Raise a ValueError, one line, if a setting is not among those of the kind of run."""
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(names) - known)
    if unknown:
        other = f"--dataset={REGRESSION}" if kind is RegressionConfig else "classification"
        raise ValueError(f"{other} has no setting {', '.join(unknown)}; leave it out")


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
    if name in ABOVE_ZERO and value == 0:
        raise ValueError(f"{name} must be above 0")
