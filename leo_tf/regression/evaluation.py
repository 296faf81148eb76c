"""How good predictions of functions are: errors, calibration, and the families they show."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import Episodes
from data_pipeline.sines_and_lines import NOISE
from leo_tf.methods.maml import MAML
from leo_tf.regression.model import LEORegressor
from leo_tf.regression.network import energy_score
from leo_tf.training.validation import Validated

PAIRS_AT_ONCE = 1000  # (task, sample) pairs
VALIDATION_SAMPLES = 10
AMBIGUOUS = 0.2  # least posterior probability of either family


class Sampler:
    """Sample networks of a `LEORegressor` for tasks, and evaluate them.

    Args:
      model: a `LEORegressor`.
      samples: networks per task.
    """

    def __init__(self, model: LEORegressor, samples: int) -> None:
        self.samples = samples
        noise = model.fixed_noise(samples)
        generate = model.decoder.generator()

        @tf.function(reduce_retracing=True)
        def predict(support, labels, query):
            adaptation = model.adapt(support, labels, noise)
            stages = {
                "before": generate(adaptation.latents_init, model.decoder_noise(noise, 0)),
                "latent": adaptation.params_after_leo,
                "adapted": adaptation.params,
            }
            return {name: model.learner.predict(p, query) for name, p in stages.items()}

        self._predict = predict

    def predictions(
        self,
        support: np.ndarray,
        labels: np.ndarray,
        query: np.ndarray,
        progress: Callable[[int], object] | None = None,
    ) -> dict[str, np.ndarray]:
        """Predict at query points, by adapting to support points.

        Args:
          support, labels: [tasks, points, 1].
          query: [tasks, queries, 1].
          progress: called with the number of tasks that were just predicted.

        Returns:
          {"before": before adaptation, "latent": after the steps on the latents, "adapted": after
          fine-tuning, too}, arrays [samples, tasks, queries, 1].
        """
        done = []
        for part in parts(len(support), self.samples):
            done.append(self._predict(support[part], labels[part], query[part]))
            if progress is not None:
                progress(len(support[part]))
        return {
            name: np.concatenate([part[name] for part in done]).swapaxes(0, 1) for name in done[0]
        }


def parts(tasks: int, samples: int) -> Iterator[slice]:
    """Cut tasks into parts small enough to adapt that many samples of each together."""
    size = max(1, PAIRS_AT_ONCE // samples)
    return (slice(start, start + size) for start in range(0, tasks, size))


class EnergyValidation:
    """Meta-validation of a regressor by the energy score of its samples, as in training.

    Args:
      model: the regressor.
      tasks: `Episodes` of NumPy arrays.
    """

    name = "val_energy_score"

    def __init__(self, model: LEORegressor, tasks: Episodes) -> None:
        self.tasks = tasks
        self._exponent = model.learner.exponent
        self._sampler = Sampler(model, VALIDATION_SAMPLES)

    def __call__(self) -> Validated:
        """Evaluate the regressor as it is now."""
        found = self._sampler.predictions(*self.tasks[:3])["adapted"]
        judged = found.swapaxes(0, 1), self.tasks.query_labels
        scores = energy_score(*judged, self._exponent).numpy()
        finite = are_finite(found) & np.isfinite(scores)
        error = squared_errors(found, self.tasks.query_labels)
        score = float(np.mean(scores)) if finite.all() else math.nan
        text = f"energy score {written(score)}, {_of_errors(error, finite)}"
        return Validated(score, -score, text, bool(finite.all()))


class ErrorValidation:
    """Meta-validation of a `MAML` by its mean squared error.

    Args:
      model: the `MAML`.
      tasks: `Episodes` of NumPy arrays.
    """

    name = "val_squared_error"

    def __init__(self, model: MAML, tasks: Episodes) -> None:
        self.model = model
        self.tasks = tasks

    def __call__(self) -> Validated:
        """Evaluate the model as it is now."""
        found = maml_predictions(self.model, self.tasks)
        error, finite = squared_errors(found, self.tasks.query_labels), are_finite(found)
        mean = float(error.mean())
        return Validated(mean, -mean, _of_errors(error, finite), bool(finite.all()))


def _of_errors(error, finite):
    """Write the squared errors of tasks for people, and how many are not finite."""
    text = f"squared error {written(error.mean())} (median {written(np.median(error))})"
    if not finite.all():
        text += f" ({(~finite).sum()} of {len(finite)} tasks not finite)"
    return text


def written(value: float | None) -> str:
    """Write a figure for people, a large one shortly: "-" if there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.3e}"


def maml_predictions(model: MAML, tasks: Episodes) -> np.ndarray:
    """Predict the queries of `Episodes` with a `MAML`: [1, tasks, queries, 1]."""
    params = model(tasks.support, tasks.support_labels)
    return model.learner.predict(params, tasks.query).numpy().swapaxes(0, 1)


def squared_errors(predictions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean squared error of the samples' mean, by task.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].

    Returns:
      float64 [tasks]; infinite where a prediction of the task is not finite.
    """
    finite = are_finite(predictions)
    mean = _without_non_finite(predictions, finite).mean(axis=0)
    return np.where(finite, np.square(mean - truth).mean(axis=(1, 2)), np.inf)


def are_finite(predictions: np.ndarray) -> np.ndarray:
    """Tell tasks whose predictions [samples, tasks, n, 1] are all finite, bool [tasks]."""
    return np.isfinite(predictions).all(axis=(0, 2, 3))


def _without_non_finite(predictions, finite):
    """Return predictions as float64, with zeros for tasks that are not finite."""
    return np.where(finite[:, np.newaxis, np.newaxis], predictions, 0.0).astype(np.float64)


def coverage(predictions: np.ndarray, truth: np.ndarray, share: float) -> float:
    """Share of points of the truth inside the central intervals that hold `share` of the samples.

    None of the points of a task is, if a prediction of it is not finite.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].
      share: in [0, 1].

    Returns:
      A float in [0, 1].
    """
    finite = are_finite(predictions)
    samples = _without_non_finite(predictions, finite)
    low, high = np.quantile(samples, [(1 - share) / 2, (1 + share) / 2], axis=0)
    inside = (low <= truth) & (truth <= high)
    return float(np.mean(inside & finite[:, np.newaxis, np.newaxis]))


def negative_log_likelihood(
    predictions: np.ndarray, truth: np.ndarray, noise: float = NOISE, seed: int = 0
) -> float:
    """Mean negative log density, in nats, of noisy targets under the samples.

    The predictive density at a point is the equal mixture of Normals around the samples, of the
    tasks' own noise.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].
      noise: standard deviation of the targets around the truth.
      seed: of these targets.

    Returns:
      A float; infinite if a prediction is not finite.
    """
    if not np.isfinite(predictions).all():
        return math.inf
    targets = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    log_density = -0.5 * np.square((predictions - targets) / noise)
    largest = log_density.max(axis=0)
    mixture = np.log(np.exp(log_density - largest).mean(axis=0)) + largest
    return float(math.log(noise * math.sqrt(2 * math.pi)) - mixture.mean())


def are_sines(predictions: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Tell sampled functions that a sine fits better than a line, by least squares.

    One that is not finite is no sine.

    Args:
      predictions: [samples, tasks, n, 1].
      x: the points, [n], the same for all tasks.

    Returns:
      bool [samples, tasks].
    """
    values = np.where(np.isfinite(predictions), predictions, 0.0).astype(np.float64)[..., 0]
    line = _residual(values, np.stack([x, np.ones_like(x)], axis=1))
    sine = _residual(values, np.stack([np.sin(x), np.cos(x)], axis=1))
    return (sine < line) & np.isfinite(predictions).all(axis=(2, 3))


def are_ambiguous(sine_probability: np.ndarray) -> np.ndarray:
    """Tell tasks where either family has a posterior probability above 0.2, bool [tasks]."""
    return np.abs(sine_probability - 0.5) < 0.5 - AMBIGUOUS


def _residual(values, features):
    basis, _ = np.linalg.qr(features)
    return np.square(values - (values @ basis) @ basis.T).sum(axis=-1)
