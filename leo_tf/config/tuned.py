"""Settings that the trials of `leo_tf.table` chose: {data set: {file of a method: settings}}.

Each is the best of six by meta-validation after 300 steps at 5-way 1-shot; their records are in
runs/table. LEO was tuned by hand, see `leo_tf.config.presets`.
"""

from typing import Any

BY_TRIALS: dict[str, dict[str, dict[str, Any]]] = {
    "glyphs": {
        "logistic_regression": {"inverse_penalty": 3420.0},
        "fine_tuning": {"descent_steps": 638, "descent_rate": 8.09},
        "matching": {
            "outer_lr": 7.772e-05,
            "embedding_size": 263,
            "hidden_units": 512,
            "scale_init": 5.103,
        },
        "prototypical": {
            "outer_lr": 0.001226,
            "embedding_size": 163,
            "hidden_units": 0,
            "scale_init": 1.185,
        },
        "relation": {
            "outer_lr": 0.004132,
            "embedding_size": 66,
            "hidden_units": 0,
            "relation_units": 74,
        },
        "tadam": {
            "outer_lr": 0.0006746,
            "embedding_size": 160,
            "hidden_units": 512,
            "scale_init": 3.702,
            "conditioning_penalty_weight": 0.0006049,
            "auxiliary_probability": 0.9,
            "auxiliary_lr": 0.1129,
        },
        "maml": {
            "outer_lr": 0.0002337,
            "learner_units": 128,
            "inner_steps": 9,
            "inner_test_steps": 37,
            "inner_rate": 0.41,
        },
        "meta_sgd": {
            "outer_lr": 0.0001062,
            "learner_units": 64,
            "inner_steps": 7,
            "inner_test_steps": 35,
            "rates_init": 5.113,
        },
        "reptile": {
            "outer_lr": 0.8637,
            "learner_units": 32,
            "inner_steps": 9,
            "inner_test_steps": 19,
            "inner_rate": 0.02422,
            "inner_batch": 22,
        },
        "meta_lstm": {
            "outer_lr": 0.001946,
            "lstm_steps": 10,
            "lstm_units": 5,
            "step_scale": 7.64,
        },
        "snail": {
            "outer_lr": 0.00195,
            "embedding_size": 258,
            "hidden_units": 128,
            "filters": 32,
            "key_size": 32,
        },
        "platipus": {
            "outer_lr": 0.0006681,
            "learner_units": 32,
            "inner_steps": 9,
            "inner_test_steps": 49,
            "inner_rate": 0.3179,
            "std_init": 0.001264,
            "gamma_init": 0.1852,
            "bound_weight": 0.00136,
        },
        "conditionally_shifted": {
            "outer_lr": 0.001433,
            "shifted_layers": 1,
            "shifted_units": 238,
            "value_units": 40,
            "scale_init": 7.31,
        },
        "deml": {
            "outer_lr": 0.001508,
            "embedding_size": 81,
            "hidden_units": 0,
            "learner_units": 32,
            "inner_steps": 4,
            "inner_test_steps": 11,
            "rates_init": 10.13,
            "concept_weight": 0.3347,
        },
        "qiao": {
            "outer_lr": 0.001256,
            "scale_init": 50.38,
            "mean_probability": 0.06361,
            "phi_penalty_weight": 5.166e-06,
        },
        "ridge": {
            "outer_lr": 0.0006111,
            "embedding_size": 96,
            "hidden_units": 128,
            "penalty_init": 0.2159,
            "alpha_init": 13.19,
        },
        "feat": {
            "outer_lr": 0.0009248,
            "embedding_size": 43,
            "hidden_units": 0,
            "scale_init": 29.53,
            "attention_dropout": 0.1155,
            "layer_norm": True,
            "contrast_weight": 0.2725,
            "contrast_scale": 20.0,
        },
    }
}
