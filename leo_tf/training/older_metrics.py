"""Figures that version 0.1 wrote while it trained, in other units than now."""

from collections.abc import Sequence

from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.training.metrics_rows import NAN_GUARD, read_rows, write_rows
from leo_tf.training.run_folder import RunFolder

SHARES = ("accuracy", "val_accuracy")  # were in [0, 1], are in percent
WEIGHTED = ("l2_penalty", "orthogonality_penalty")  # had their weights, have none


def are_older(header: Sequence[str]) -> bool:
    """Return whether version 0.1 wrote metrics of these columns: their shares are no percent."""
    return bool(header) and NAN_GUARD not in header


def convert(folder: RunFolder, settings: MetaLearner) -> None:
    """Bring the metrics of a run that version 0.1 began to today's units.

    Rewrites its metrics.csv, and sets its TensorBoard summaries aside, which are not rewritten.

    Args:
      folder: the model's folder.
      settings: of the model, which know the weights. A penalty of weight 0 is left empty.
    """
    header, rows = read_rows(folder.metrics)
    if not are_older(header):
        return
    weights = {name: getattr(settings, f"{name}_weight", None) for name in WEIGHTED}
    factors = {name: 100.0 for name in SHARES}
    factors |= {name: 1 / weight if weight else None for name, weight in weights.items()}
    for row in rows:
        for i, name in enumerate(header[: len(row)]):
            if name in factors and row[i]:
                factor = factors[name]
                row[i] = "" if factor is None else repr(float(row[i]) * factor)
    write_rows(folder.metrics, [*header, NAN_GUARD], [[*row, ""] for row in rows])
    if folder.tensorboard.exists() and not folder.older_tensorboard.exists():
        folder.tensorboard.rename(folder.older_tensorboard)
