"""Train LEO and MAML on regression tasks, test both, export LEO.

Three models are trained one after the other, each with its own folder of checkpoints: MAML, for
comparison; the conditional generator, which is LEO without inner loops; and LEO, which starts from
the generator. A step without inner loops costs a tenth of one with them, so most of what the
encoder and the decoder have to learn is cheaper to learn there (paper, table 2: the generator alone
is most of the accuracy).
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tqdm

from data_pipeline.episodes import Episodes
from data_pipeline.regression import SinesAndLines, step_seed
from leo_tf.callbacks import Validated
from leo_tf.maml import MAML
from leo_tf.regression_data import training_steps
from leo_tf.regression_evaluation import Sampler, squared_errors
from leo_tf.regression_export import export
from leo_tf.regression_report import measure
from leo_tf.regressor import LEORegressor, energy_score
from leo_tf.run_state import RunState, claim_folder, write_json
from leo_tf.training import compile_model, fit

GRID = 100  # query points of a validation or test task
VALIDATION_SAMPLES = 10
MAML_LR = 1e-3


class EnergyValidation:
    """Meta-validation of a regressor by the energy score of its samples.

    Args:
      tasks: `Episodes` of NumPy arrays.
    """

    name = "val_energy_score"

    def __init__(self, tasks):
        self.tasks = tasks
        self._sampler = None

    def __call__(self, model):
        """Evaluate a `LEORegressor`; returns a `Validated`."""
        self._sampler = self._sampler or Sampler(model, VALIDATION_SAMPLES)
        found = self._sampler.predictions(*self.tasks[:3])["adapted"]
        score = float(np.mean(energy_score(found.swapaxes(0, 1), self.tasks.query_labels)))
        error = squared_errors(found, self.tasks.query_labels)
        text = f"energy score {score:.4f}, squared error {error.mean():.4f}"
        return Validated(score, -score, f"{text} (median {np.median(error):.4f})")


class ErrorValidation:
    """Meta-validation of `MAML` by its mean squared error.

    Args:
      tasks: `Episodes` of NumPy arrays.
    """

    name = "val_squared_error"

    def __init__(self, tasks):
        self.tasks = tasks

    def __call__(self, model):
        """Evaluate a `MAML`; returns a `Validated`."""
        error = squared_errors(maml_predictions(model, self.tasks)[None], self.tasks.query_labels)
        text = f"squared error {error.mean():.4f} (median {np.median(error):.4f})"
        return Validated(error.mean(), -error.mean(), text)


def maml_predictions(model, tasks):
    """Predict the queries of `Episodes` with a `MAML`: [tasks, queries, 1]."""
    params = model(tasks.support, tasks.support_labels)
    return model.learner.predict(params, tasks.query)[:, 0].numpy()


def held_out_tasks(config, episodes, stream):
    """Draw tasks to validate or test on: noisy support, the noise-free function on a grid.

    Args:
      config: a `RegressionConfig`.
      episodes: how many.
      stream: name of the stream of random numbers.

    Returns:
      `Episodes` of NumPy arrays.
    """
    sampler = SinesAndLines(support=config.points, queries=GRID, query_grid=True)
    drawn = sampler(step_seed(config.seed, 0, stream), episodes)
    return Episodes(*(field.numpy() for field in drawn))


def train_and_test(config, run_dir):
    """Train (or go on training) LEO and MAML in a folder; test, export and report LEO.

    Args:
      config: a `RegressionConfig`.
      run_dir: the run's folder.

    Returns:
      The result, as in `<run_dir>/result.json`.

    Raises:
      ValueError: one line about the folder.
      leo_tf.training.InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    run_dir = Path(run_dir)
    claim_folder(run_dir, config)
    maml = train_maml(config, run_dir / "maml")
    generator = train_generator(config, run_dir / "generator")
    model, state = train_leo(config, generator, run_dir)
    export(model, run_dir / "saved_model")
    tasks = held_out_tasks(config, config.test_episodes, "test")
    with tqdm.tqdm(
        total=config.test_episodes, unit="task", desc="test", disable=not sys.stderr.isatty()
    ) as bar:
        predictions = Sampler(model, config.test_samples).predictions(*tasks[:3], bar.update)
    result = {
        **{name: getattr(config, name) for name in ("dataset", "seed", "steps", "points")},
        "generator_steps": config.generator_steps,
        "best_step": state.best_step,
        "val_energy_score": -state.best_score,
        "train_steps_per_second": state.steps_per_second,
        "test_episodes": config.test_episodes,
        "test_samples": config.test_samples,
        **measure(predictions, maml_predictions(maml, tasks), tasks),
    }
    write_json(run_dir / "result.json", result)
    return result


def train_maml(config, folder):
    """Train the baseline for as many steps as LEO and its generator together; returns it."""
    keras.utils.set_random_seed(config.seed)
    model = MAML(
        network_hidden=(config.network_hidden, config.network_hidden),
        unroll_length=config.inner_unroll_length + config.finetuning_unroll_length,
        lr_init=config.finetuning_lr_init,
        bound=config.finetuning_bound,
        gradient_threshold=config.gradient_threshold,
        gradient_norm_threshold=config.gradient_norm_threshold,
        name="maml",
    )
    steps = config.generator_steps + config.steps
    _train(model, config, folder, "MAML", steps, MAML_LR, config.tasks, 0, ErrorValidation)
    return model


def train_generator(config, folder):
    """Train LEO without inner loops; returns it."""
    model = build(config, inner_unroll_length=0, finetuning_unroll_length=0)
    _train(
        model,
        config,
        folder,
        "generator",
        config.generator_steps,
        config.generator_lr,
        config.generator_tasks,
        config.generator_samples,
        EnergyValidation,
    )
    return model


def train_leo(config, generator, folder):
    """Train LEO from the variables of its generator; returns it and its `RunState`."""
    model = build(config)
    for variable, start in zip(
        model.trainable_variables, generator.trainable_variables, strict=True
    ):
        variable.assign(start)
    state = _train(
        model,
        config,
        folder,
        "LEO",
        config.steps,
        config.outer_lr,
        config.tasks,
        config.samples,
        EnergyValidation,
    )
    return model, state


def build(config, **changes):
    """Make the `LEORegressor` of a configuration, a function of its seed."""
    keras.utils.set_random_seed(config.seed)
    return LEORegressor(**config.model_settings() | changes, name="leo_regressor")


def _train(model, config, folder, name, steps, lr, tasks, samples, validation):
    """Train one model to its last step and give it its best variables; returns its `RunState`."""
    if not steps:
        return None
    compile_model(model, _adam(lr, steps, config.warmup_steps), steps, config.validate_every)
    state = RunState(folder, model)
    sampler = SinesAndLines(support=config.points, queries=config.queries)
    fit(
        model,
        state,
        lambda first: training_steps(
            model, sampler, tasks, samples, config.seed, stream=name, start=first
        ),
        validation(held_out_tasks(config, config.validation_episodes, "validation")),
        steps=steps,
        validate_every=config.validate_every,
        name=name,
    )
    state.restore_best()
    return state


def _adam(lr, steps, warmup_steps):
    """Adam whose rate rises linearly and then falls to a hundredth as a cosine."""
    warmup = min(warmup_steps, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else lr,
        steps - warmup,
        alpha=0.01,
        warmup_target=lr if warmup else None,
        warmup_steps=warmup,
    )
    return keras.optimizers.Adam(schedule, epsilon=1e-8)
