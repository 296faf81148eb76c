"""Hyperparameters that the authors of a method published."""

from typing import Any

# {(data set, shot, or None of functions): settings}
Published = dict[tuple[str, int | None], dict[str, Any]]

LEO: Published = {  # the best that were found
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

LEO_REGRESSION: Published = {  # the sizes of the paper's architecture
    ("sines_and_lines", None): {
        "network_hidden": 40,
        "encoder_hidden": 16,
        "relation_hidden": 32,
        "decoder_hidden": 32,
        "num_latents": 16,
    },
}
