"""Train LEO and MAML on regression tasks, test both, export LEO.

Three models are trained one after the other, each with its own folder of checkpoints: MAML, for
comparison; the conditional generator, which is LEO without inner loops; and LEO, which starts from
the generator. A step without inner loops costs a tenth of one with them, so most of what the
encoder and the decoder have to learn is cheaper to learn there (paper, table 2: the generator alone
is most of the accuracy).
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import keras
import tqdm

from data_pipeline import console
from data_pipeline.episodes import Episodes
from data_pipeline.function_files import Functions
from leo_tf import provenance
from leo_tf.config import Config
from leo_tf.config.experiments import Regression
from leo_tf.meta.model import MetaModel
from leo_tf.methods.maml import MAML
from leo_tf.regression.evaluation import (
    EnergyValidation,
    ErrorValidation,
    Sampler,
    maml_predictions,
)
from leo_tf.regression.export import export
from leo_tf.regression.inputs import FunctionSplits
from leo_tf.regression.model import LEORegressor, maml_regressor
from leo_tf.regression.result import measure
from leo_tf.regression.stream import held_out_functions, held_out_tasks, training_steps
from leo_tf.training import strategy
from leo_tf.training.alone import released
from leo_tf.training.claims import claim
from leo_tf.training.ending import conclude, no_result_if_diverged
from leo_tf.training.fit import compile_model, fit
from leo_tf.training.run_folder import RunFolder, write_json
from leo_tf.training.run_parts import check_checkpoints
from leo_tf.training.run_state import RunState
from leo_tf.training.validation import Validation


@released()
def train_and_test(
    config: Config, folder: RunFolder, splits: FunctionSplits | None = None
) -> dict[str, Any]:
    """Train (or go on training) LEO and MAML in a folder; test, export and report LEO.

    Args:
      config: what to compute, a regression.
      folder: the run's folder.
      splits: the functions; None where tasks are drawn.

    Returns:
      The result, as in the folder's result.json.

    Raises:
      ValueError: one line about the folder.
      InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    experiment = config.experiment
    strategy.chosen(experiment.devices)
    check_checkpoints(folder, config)
    claim(folder, config, splits and splits.digests())
    with no_result_if_diverged(folder):
        maml, of_maml = train_maml(config, folder.of("maml"), splits)
        generator, of_generator = train_generator(config, folder.of("generator"), splits)
        model, trained = train_leo(config, generator, folder, splits)
    export(model, folder.saved_model, {**config.flat(), **folder.origin()})
    tasks = held_out(experiment, experiment.test_episodes, "test", splits and splits.test)
    episodes, samples = len(tasks.support), experiment.test_samples
    with tqdm.tqdm(
        total=episodes, unit="task", desc="test", disable=not console.shows_progress()
    ) as bar:
        predictions = Sampler(model, samples).predictions(*tasks[:3], bar.update)
    names = ("dataset", "seed", "steps", "points", "generator_steps", "tasks_seen")
    result = {
        "method": config.method,
        **{name: getattr(experiment, name) for name in names},
        "maml_tasks_seen": experiment.maml_outer_steps * experiment.maml_tasks,
        **trained,
        "maml": of_maml,
        "generator": of_generator,
        "test_episodes": episodes,
        "test_samples": samples,
        **measure(predictions, maml_predictions(maml, tasks), tasks, experiment.is_drawn),
        "provenance": provenance.describe(experiment.devices),
    }
    write_json(folder.result, result)
    return result


def export_best(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> None:
    """Write the SavedModel of a run that is not finished: its best LEO by now.

    Raises:
      ValueError: one line, if there is none yet.
    """
    model, experiment = build(config), config.experiment
    state = _compiled(model, folder, experiment, experiment.steps, config.settings.outer_lr)
    print(f"{folder}: not finished; its best model is of step {state.require_best()}")
    export(model, folder.saved_model, {**config.flat(), **folder.origin()})


def held_out(
    experiment: Regression, episodes: int, stream: str, functions: Functions | None = None
) -> Episodes:
    """Return the tasks to validate or test on: drawn, or of functions that are read."""
    which = experiment.seed, episodes, stream
    if functions is None:
        return held_out_tasks(*which, points=experiment.points)
    return held_out_functions(functions, *which, points=experiment.points)


def train_maml(
    config: Config, folder: RunFolder, splits: FunctionSplits | None = None
) -> tuple[MAML, dict[str, Any]]:
    """Train the baseline, by default on as many tasks as LEO and its generator together.

    Args:
      config: a regression.
      folder: of the model.
      splits: the functions; None where tasks are drawn.

    Returns:
      The pair: the model, and the figures of its training, see `leo_tf.training.ending.conclude`.
    """
    experiment = config.experiment
    keras.utils.set_random_seed(experiment.seed)
    with strategy.scope(experiment.devices):
        model = maml_regressor(config.settings, experiment)
    how = experiment.maml_outer_steps, experiment.maml_lr, experiment.maml_tasks
    return model, _train(model, folder, experiment, splits, "MAML", ErrorValidation, *how)


def train_generator(
    config: Config, folder: RunFolder, splits: FunctionSplits | None = None
) -> tuple[LEORegressor, dict[str, Any]]:
    """Train LEO without inner loops; returns the same."""
    experiment = config.experiment
    samples = experiment.generator_samples
    with strategy.scope(experiment.devices):
        model = build(config, samples=samples, inner_unroll_length=0, finetuning_unroll_length=0)
    how = experiment.generator_steps, experiment.generator_lr, experiment.generator_tasks
    return model, _train(model, folder, experiment, splits, "generator", EnergyValidation, *how)


def train_leo(
    config: Config,
    generator: LEORegressor,
    folder: RunFolder,
    splits: FunctionSplits | None = None,
) -> tuple[LEORegressor, dict[str, Any]]:
    """Train LEO from the variables of its generator; returns the same."""
    experiment = config.experiment
    with strategy.scope(experiment.devices):
        model = build(config)
    variables = zip(model.trainable_variables, generator.trainable_variables, strict=True)
    for variable, start in variables:
        variable.assign(start)
    how = experiment.steps, config.settings.outer_lr, experiment.tasks
    return model, _train(model, folder, experiment, splits, "LEO", EnergyValidation, *how)


def build(config: Config, **changes: Any) -> LEORegressor:
    """Make the `LEORegressor` of a configuration, a function of its seed.

    Args:
      config: a regression.
      **changes: settings that replace the configuration's.
    """
    keras.utils.set_random_seed(config.experiment.seed)
    return LEORegressor(**dataclasses.asdict(config.settings) | changes, name="leo_regressor")


def _train(
    model: MetaModel,
    folder: RunFolder,
    experiment: Regression,
    splits: FunctionSplits | None,
    name: str,
    validation: Callable[..., Validation],
    steps: int,
    lr: float,
    tasks: int,
):
    """Train one model to its last step and give it its best variables; returns the figures."""
    if not steps:
        return {}
    state = _compiled(model, folder, experiment, steps, lr)
    episodes = experiment.validation_episodes
    tasks_held_out = held_out(experiment, episodes, "validation", splits and splits.val)
    validating = validation(model, tasks_held_out)
    train = splits and splits.train
    fit(
        model,
        state,
        lambda first: training_steps(
            model, experiment, tasks=tasks, stream=name, start=first, functions=train
        ),
        validating,
        steps=steps,
        validate_every=experiment.validate_every,
        name=name,
    )
    figures = conclude(state, steps, name)
    return {**figures, validating.name: -state.best_score}


def _compiled(model, folder, experiment, steps, lr):
    """Prepare a model to be trained or restored; returns its `RunState`."""
    with model.distribute_strategy.scope():
        optimizer = model.make_optimizer(_schedule(lr, steps, experiment.warmup_steps))
        compile_model(model, optimizer, steps, experiment.validate_every, folder.steps_saved())
    return RunState(folder, model, interval=experiment.validate_every)


def _schedule(lr, steps, warmup_steps):
    """A rate that rises linearly and then falls to a hundredth as a cosine."""
    warmup = min(warmup_steps, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else lr,
        steps - warmup,
        alpha=0.01,
        warmup_target=lr if warmup else None,
        warmup_steps=warmup,
    )
