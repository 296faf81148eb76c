"""Presets: named differences from the defaults, of a data set, and of a method on it."""

from typing import Any

from leo_tf.published import hyperparameters

# Tuned on the meta-validation split: {data set: {file of a method, or EVERY: its settings}}.
EVERY = "every method"
TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "glyphs": {
        EVERY: {"steps": 6_000},
        "leo": {
            "outer_lr": 1e-3,
            "dropout_rate": 0.3,
            "kl_weight": 1e-2,
            "orthogonality_penalty_weight": 1e-2,
        },
    },
}

# By the file of the method: {(data set, shot): its settings}.
PUBLISHED = {"leo": hyperparameters.LEO}


def preset(file: str, dataset: str, shot: int) -> dict[str, Any]:
    """Return the settings that differ from the defaults for a method on a data set.

    Args:
      file: the method's, as in the table of methods.
      dataset, shot: what it is trained on.
    """
    published = PUBLISHED.get(file, {}).get((dataset, shot), {})
    tuned = TUNED.get(dataset, {})
    return {**tuned.get(EVERY, {}), **tuned.get(file, {}), **published}
