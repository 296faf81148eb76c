"""Presets: named differences from the defaults, of a data set, and of a method on it."""

from typing import Any

from leo_tf.published import hyperparameters

OF_DATA = {"glyphs": {"steps": 6_000}}

# Tuned on the meta-validation split, by the file of the method.
TUNED = {
    ("leo", "glyphs"): {
        "outer_lr": 1e-3,
        "dropout_rate": 0.3,
        "kl_weight": 1e-2,
        "orthogonality_penalty_weight": 1e-2,
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
    return {**OF_DATA.get(dataset, {}), **TUNED.get((file, dataset), {}), **published}
