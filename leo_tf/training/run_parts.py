"""Whether the checkpoints in a run's folder are the run's own, and all there."""

import math

from leo_tf.config import Config
from leo_tf.training.checkpoints import DAMAGE, ForeignCheckpointError, check_mark, value_in
from leo_tf.training.run_folder import RunFolder, steps_in


def check_checkpoints(folder: RunFolder, config: Config) -> None:
    """Check the checkpoints in a folder before a run goes on from them; writes nothing.

    Those that are damaged are left to be named when they are restored.

    Args:
      folder: the run's folder.
      config: its configuration.

    Raises:
      ValueError: one line, if a checkpoint is of another run, or the best model is missing.
    """
    if not folder.config.exists():
        return
    for part in (*map(folder.of, config.experiment.models), folder):
        for kept in (part.checkpoints, part.best):
            for step in steps_in(kept):
                try:
                    check_mark(kept / f"step-{step}", part.identity)
                except ForeignCheckpointError:
                    raise
                except DAMAGE:
                    continue
        _check_best(part)


def _check_best(folder):
    """Raise a ValueError if the best model that the latest checkpoint tells of is not there."""
    for step in reversed(steps_in(folder.checkpoints)):
        latest = folder.checkpoints / f"step-{step}"
        try:
            best = int(value_in(latest, "best_step"))
            there = best > 0 or value_in(latest, "best_score") != -math.inf
        except DAMAGE:
            continue
        if there and best not in steps_in(folder.best):
            raise ValueError(
                f"{folder.best}: lacks step-{best}, which is the best model by {latest}; put it "
                "back, or choose another --run_dir"
            )
        return
