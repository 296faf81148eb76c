"""How good predictions of functions are: errors, calibration, and the families they show."""

import math

import numpy as np
import tensorflow as tf

from data_pipeline.regression import NOISE
from leo_tf.regression_data import fixed_noise

PAIRS_AT_ONCE = 1000  # (task, sample) pairs


class Sampler:
    """Sample networks of a `LEORegressor` for tasks, and evaluate them.

    Args:
      model: a `LEORegressor`.
      samples: networks per task.
    """

    def __init__(self, model, samples):
        self.samples = samples
        noise = fixed_noise(model, samples)
        generate = model.decoder.generator()

        @tf.function(reduce_retracing=True)
        def predict(support, labels, query):
            adaptation = model.adapt(support, labels, noise)
            stages = {
                "before": generate(adaptation.latents_init, noise.decoder[0]),
                "latent": adaptation.params_after_leo,
                "adapted": adaptation.params,
            }
            return {name: model.learner.predict(p, query) for name, p in stages.items()}

        self._predict = predict

    def predictions(self, support, labels, query, progress=None):
        """Predict at query points, by adapting to support points.

        Args:
          support, labels: [tasks, points, 1].
          query: [tasks, queries, 1].
          progress: called with the number of tasks that were just predicted.

        Returns:
          {"before": before adaptation, "latent": after the steps on the latents, "adapted": after
          fine-tuning, too}, arrays [samples, tasks, queries, 1].
        """
        size = max(1, PAIRS_AT_ONCE // self.samples)
        done = []
        for start in range(0, len(support), size):
            part = slice(start, start + size)
            done.append(self._predict(support[part], labels[part], query[part]))
            if progress is not None:
                progress(len(support[part]))
        return {
            name: np.concatenate([part[name] for part in done]).swapaxes(0, 1) for name in done[0]
        }


def squared_errors(predictions, truth):
    """Mean squared error of the samples' mean, by task.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].

    Returns:
      [tasks].
    """
    return np.square(predictions.mean(axis=0) - truth).mean(axis=(1, 2))


def coverage(predictions, truth, share):
    """Share of points of the truth inside the central intervals that hold `share` of the samples.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].
      share: in [0, 1].

    Returns:
      A float in [0, 1].
    """
    low, high = np.quantile(predictions, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return float(np.mean((low <= truth) & (truth <= high)))


def negative_log_likelihood(predictions, truth, noise=NOISE, seed=0):
    """Mean negative log density, in nats, of noisy targets under the samples.

    The predictive density at a point is the equal mixture of Normals around the samples, of the
    tasks' own noise.

    Args:
      predictions: [samples, tasks, n, 1].
      truth: [tasks, n, 1].
      noise: standard deviation of the targets around the truth.
      seed: of these targets.

    Returns:
      A float.
    """
    targets = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    log_density = -0.5 * np.square((predictions - targets) / noise)
    largest = log_density.max(axis=0)
    mixture = np.log(np.exp(log_density - largest).mean(axis=0)) + largest
    return float(math.log(noise * math.sqrt(2 * math.pi)) - mixture.mean())


def are_sines(predictions, x):
    """Tell sampled functions that a sine fits better than a line, by least squares.

    Args:
      predictions: [samples, tasks, n, 1].
      x: the points, [n], the same for all tasks.

    Returns:
      bool [samples, tasks].
    """
    values = predictions[..., 0]
    line = _residual(values, np.stack([x, np.ones_like(x)], axis=1))
    sine = _residual(values, np.stack([np.sin(x), np.cos(x)], axis=1))
    return sine < line


def _residual(values, features):
    basis, _ = np.linalg.qr(features)
    return np.square(values - (values @ basis) @ basis.T).sum(axis=-1)
