"""Presets: differences from the defaults, of a data set, and of a method on it."""

from collections.abc import Iterator
from typing import Any

from leo_tf.config.tuned import BY_TRIALS
from leo_tf.published import hyperparameters

# Tuned on the meta-validation split: {data set: {file of a method, or EVERY: its settings}}.
EVERY = "every method"
TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "glyphs": {
        EVERY: {"steps": 3_000},
        "leo": {
            "outer_lr": 1e-3,
            "num_latents": 16,
            "dropout_rate": 0.7,
            "orthogonality_penalty_weight": 3.0,
        },
    },
}

# By the file of the method: {(data set, shot): its settings}. Nobody has to ask for them.
PUBLISHED = {"leo": hyperparameters.LEO}

# What --preset asks for by name: {name: {file of a method: as above}}.
NAMED: dict[str, dict[str, hyperparameters.Published]] = {
    "paper": {**PUBLISHED, "leo_regression": hyperparameters.LEO_REGRESSION},
}


def preset(file: str, dataset: str, shot: int | None, name: str | None = None) -> dict[str, Any]:
    """Return the settings that differ from the defaults for a method on a data set.

    Args:
      file: the method's, as in the table of methods.
      dataset, shot: what it is trained on; a shot of None for functions.
      name: a key of `NAMED`; None for what is tuned or published.

    Raises:
      ValueError: one line, if there is no such preset, or none for these.
    """
    if name is not None:
        return _named(name, file, dataset, shot)
    published = PUBLISHED.get(file, {}).get((dataset, shot), {})
    tuned = TUNED.get(dataset, {})
    tried = BY_TRIALS.get(dataset, {}).get(file, {})
    return {**tuned.get(EVERY, {}), **tried, **tuned.get(file, {}), **published}


def _named(name, file, dataset, shot):
    if name not in NAMED:
        raise ValueError(f"preset must be {' or '.join(NAMED)}, not {name!r}")
    found = NAMED[name].get(file, {}).get((dataset, shot))
    if found is None:
        shots = "" if shot is None else f" at shot {shot}"
        raise ValueError(
            f"--preset={name} has nothing for this method on {dataset}{shots}, only for "
            f"{'; '.join(_coverage(name))}; leave it out"
        )
    return found


def described() -> str:
    """Tell people the names of presets, and what each is for."""
    return "; ".join(f"{name}, for {', '.join(_coverage(name))}" for name in NAMED)


def _coverage(name: str) -> Iterator[str]:
    """Name what a preset is for: data sets, with their shots."""
    shots: dict[str, list[str]] = {}
    for of_data in NAMED[name].values():
        for dataset, shot in of_data:
            shots.setdefault(dataset, []).extend([] if shot is None else [str(shot)])
    for dataset, those in shots.items():
        yield f"{dataset} at shot {' or '.join(those)}" if those else dataset
