"""How sure a classifier may be: the temperature of its softmax, and how far off it is with it.

Scores s of a query become probabilities softmax(s / T). T minimises the cross-entropy of queries of
held-out episodes (Guo et al. 2017, arXiv 1706.04599), which is convex in 1 / T. The expected
calibration error is told on other episodes: queries are sorted into bins by the probability of
their answer, and the share of right answers in each is set against its mean probability.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize, special

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import default_queries
from leo_tf.classification.evaluation import Evaluator, Judge, not_linear
from leo_tf.meta.accuracy import are_right
from leo_tf.meta.classifier import Classifier

EPISODES = 400  # that the temperature is fitted to; as many others judge it
QUERIES = 15  # of a class, as in training
MOST_SCORES = 2**24  # numbers that are kept
BINS = 15
REACH = 9.0  # how far log T may be from that of the scores' spread


class Answers(NamedTuple):
    """Scores of queries, as they come out of episodes of one way."""

    scores: np.ndarray  # float64 [n, way]
    labels: np.ndarray  # int [n]
    right: np.ndarray  # bool [n], see `leo_tf.meta.accuracy`


def calibrate(
    classifier: Classifier,
    held_out: EmbeddingSet,
    way: int,
    shot: int,
    seed: int,
    episodes: int = EPISODES,
) -> dict[str, Any]:
    """Fit the temperature of a classifier to episodes, and judge it on others.

    Args:
      classifier: what is calibrated.
      held_out: classes that it was not trained on.
      way, shot: sizes of an episode.
      seed: decides the episodes.
      episodes: how many to fit to, and to judge by.

    Returns:
      temperature; split, episodes and queries (a class) that it was judged by; cross_entropy_before
      (nats, with T = 1) and _after; expected_calibration_error_before and _after (percent); and
      left_out, how many queries had no finite score of their own. A figure is None, the temperature
      too, where all were left out.

    Raises:
      EpisodeSizeError: if there are too few classes or images.
    """
    queries = min(QUERIES, default_queries(held_out, shot))
    queries = max(1, min(queries, MOST_SCORES // (2 * episodes * way * way)))
    evaluator = Evaluator(held_out, way, shot, queries, 2 * episodes, seed)
    found = evaluator.judged(classifier.gathered(), ANSWERS)
    fitted_to, left = _finite([each[:episodes] for each in found])
    judged_by, more = _finite([each[episodes:] for each in found])
    temperature = fit_temperature(fitted_to) if len(fitted_to.labels) else None
    figures = {
        f"{name}_{when}": _figure(figure, judged_by, value)
        for name, figure in (("cross_entropy", cross_entropy), (ERROR, calibration_error))
        for when, value in (("before", 1.0), ("after", temperature))
    }
    sizes = {"split": held_out.name, "episodes": episodes, "queries": queries}
    return {"temperature": temperature, **sizes, **figures, "left_out": left + more}


def of_run(
    classifier: Classifier,
    experiment: Any,
    val: EmbeddingSet | None,
    stopped: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Calibrate the classifier of a run, or say why there is nothing to do it on.

    Args:
      classifier: what was trained.
      experiment: the run's, a classification.
      val: its meta-validation, or None.
      stopped: what the first stage of a run in two found; its temperature is that of the second,
        which has seen val.

    Returns:
      See `calibrate`; or temperature None, and `reason`.
    """
    if stopped and stopped.get("calibration"):
        return {**stopped["calibration"], "stage": stopped["folder"]}
    if val is None:
        return {"temperature": None, "reason": "there is no val"}
    if experiment.train_on_val:
        return {"temperature": None, "reason": "val was trained on"}
    return calibrate(classifier, val, experiment.way, experiment.shot, experiment.seed)


def fit_temperature(answers: Answers) -> float:
    """Return the temperature that minimises the cross-entropy of queries with finite scores.

    It stays within a factor of e^9 of the scores' spread: where every answer is right, no
    temperature is low enough, and where they tell nothing, none is high enough.
    """
    finite = np.where(np.isfinite(answers.scores), answers.scores, np.nan)
    spread = float(np.nanmean(np.nanstd(finite, axis=1)))
    if not spread > 0:
        return 1.0
    middle = np.log(spread)
    found = optimize.minimize_scalar(
        lambda log_t: cross_entropy(answers, np.exp(log_t)),
        bounds=(middle - REACH, middle + REACH),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(np.exp(found.x))


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(scores / T) in float64, over the last axis."""
    return special.softmax(np.asarray(scores, np.float64) / temperature, axis=-1)


def cross_entropy(answers: Answers, temperature: float) -> float:
    """Mean cross-entropy of queries in nats."""
    logs = special.log_softmax(answers.scores / temperature, axis=1)
    return float(-np.take_along_axis(logs, answers.labels[:, np.newaxis], axis=1).mean())


def calibration_error(answers: Answers, temperature: float) -> float:
    """Expected calibration error in percent, over `BINS` bins of equal width."""
    sure = probabilities(answers.scores, temperature).max(axis=1)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    off = np.bincount(bins, weights=answers.right - sure, minlength=BINS)
    return float(100 * np.abs(off).sum() / len(sure))


ERROR = "expected_calibration_error"


def _figure(figure, answers, temperature):
    if temperature is None or not len(answers.labels):
        return None
    return figure(answers, temperature)


def _finite(found):
    """Return the queries whose own score is finite, and no other NaN, and how many are not."""
    scores, labels, right = (each.reshape(-1, *each.shape[2:]) for each in found)
    scores = scores.astype(np.float64)
    own = np.take_along_axis(scores, labels[:, np.newaxis], axis=1)[:, 0]
    kept = np.isfinite(own) & ~(np.isnan(scores) | np.isposinf(scores)).any(axis=1)
    return Answers(scores[kept], labels[kept], right[kept]), int((~kept).sum())


def _answers(indices, scores, labels):
    """Scores, labels and which answers are right; see `leo_tf.classification.evaluation.Judge`."""
    is_own = tf.range(tf.shape(scores, labels.dtype)[-1]) == labels[..., tf.newaxis]
    own = tf.gather(scores, labels, batch_dims=2)
    return scores, labels, are_right(scores, own, is_own, -1)


ANSWERS = Judge(not_linear, _answers)
