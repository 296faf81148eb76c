"""A run by its protocol: in one stage, or in the two that the published figures come from.

In two (--protocol=published), early stopping on val finds the step at which a model is best that is
trained on train alone; then a new model, of the same seed, is trained on train and val together up
to that step, and tested. The first stage is a run of its own, in a folder within that of the run;
the second one is the run. Its settings are those of the first: a schedule is as long as there.
"""

import contextlib
import dataclasses
import importlib
import io
import os
from types import ModuleType
from typing import Any, NamedTuple

from leo_tf.classification.inputs import Splits
from leo_tf.config import Config
from leo_tf.config.experiments import EARLY_STOPPING, PLAIN, PUBLISHED
from leo_tf.regression.inputs import FunctionSplits
from leo_tf.training import claims
from leo_tf.training.alone import released
from leo_tf.training.run_folder import RunFolder


class Stage(NamedTuple):
    """What is trained on what, and where."""

    config: Config
    folder: RunFolder
    splits: Splits | FunctionSplits | None  # None: tasks are drawn

    def part(self, name: str) -> ModuleType:
        """Return a module of the stage's experiment, such as "result"."""
        return importlib.import_module(f"leo_tf.{self.config.experiment.kind}.{name}")


def load(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> list[Stage]:
    """Read what a run needs, and check that it may start or go on in its folder; no TensorFlow.

    Args:
      config: what to compute.
      folder: the run's folder.
      data_path: folder of data sets.

    Returns:
      Its stages, for `train_and_test`: the run itself, and after it what comes first, if anything.

    Raises:
      FileNotFoundError, ValueError: one line about the data or the folder.
    """
    found = []
    for stage in _stages(config, folder):
        # What the data of a further stage are warned of has been said.
        with contextlib.redirect_stderr(io.StringIO()) if found else contextlib.nullcontext():
            splits = stage.part("inputs").load(stage.config, data_path)
        claims.check(stage.folder, stage.config, splits and splits.digests())
        found.append(stage._replace(splits=splits))
    return found


@released()
def train_and_test(stages: list[Stage]) -> dict[str, Any]:
    """Do what is missing of a run, from wherever it was stopped.

    Args:
      stages: what `load` returned.

    Returns:
      The result, as in the folder's result.json.

    Raises:
      FileNotFoundError, ValueError: one line about the data or a folder.
      InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    run, *before = stages
    if not before:
        return run.part("experiment").train_and_test(*run)
    (first,) = before
    from leo_tf.training.run_parts import check_checkpoints  # --help needs no TensorFlow

    check_checkpoints(run.folder, run.config)
    # The folder becomes the run's before that of its first stage is made in it.
    claims.claim(run.folder, run.config, run.splits.digests())
    print(f"early stopping on val, in {first.folder}", flush=True)
    experiment = run.part("experiment")
    stopped = experiment.stop_early(*first)
    forget_models()
    steps = stopped["best_step"]
    done = max(run.folder.steps_saved(), default=0)
    if steps < done:
        raise ValueError(
            f"{run.folder}: was trained on train and val for {done} steps, and early stopping on "
            f"more steps now finds {steps}, which are fewer; start anew in another --run_dir"
        )
    print(f"train and val together for {steps} steps, in {run.folder}", flush=True)
    return experiment.train_and_test(*run, stopped)


def report(stage: Stage, result: dict[str, Any]) -> str:
    """Lay out the result of a run for people, and say where its files are."""
    table, folder = stage.part("result").table(result), stage.folder
    return f"\n{table}\n\nSavedModel: {folder.saved_model}\nresult: {folder.result}"


def _stages(config, folder):
    """Return the stages of a run without their data, the run itself first."""
    run = Stage(config, folder, None)
    if getattr(config.experiment, "protocol", PLAIN) != PUBLISHED:
        return [run]
    changes = {"protocol": EARLY_STOPPING, "train_on_val": False}
    experiment = dataclasses.replace(config.experiment, **changes)
    first = dataclasses.replace(config, experiment=experiment)
    return [run, Stage(first, folder.early_stopping, None)]


def forget_models() -> None:
    """Free what Keras keeps of the models that were made."""
    import keras

    keras.backend.clear_session()
