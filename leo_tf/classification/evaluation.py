"""Accuracy over many episodes, with nearly every image of a class as a query."""

import math
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import default_queries as default_queries
from data_pipeline.episodes import EpisodeIndices, EpisodeSampler
from data_pipeline.streams import stream_seed, unrewritten
from leo_tf.classification.accuracies import Accuracy as Accuracy
from leo_tf.classification.accuracies import Outcomes as Outcomes
from leo_tf.classification.accuracies import summarise as summarise
from leo_tf.classification.linear import Fitted, judge
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.classifier import Classifier, check_served, weights_and_biases
from leo_tf.training.validation import Validated

TASKS_DRAWN = 200  # the published meta-batch of evaluation; fixes which episodes a seed means
MOST_TASKS = 1000  # evaluated together, so that a class's block serves many episodes
MOST_PAIRS = 2**18  # of support examples in them, which models that compare all pairs pay for
MOST_GATHERED = 2**25  # numbers of the queries that are gathered together


class Judge(NamedTuple):
    """What is asked about each episode: functions that return a tuple of tensors [tasks, ...]."""

    # Of a linear classifier: sampler, indices, what was fitted, the classifier's mean.
    linear: Callable[[EpisodeSampler, EpisodeIndices, Fitted, tf.Tensor | None], tuple]
    # Of any other: indices, scores [tasks, n, way], labels [tasks, n].
    scored: Callable[[EpisodeIndices, tf.Tensor, tf.Tensor], tuple]


class AccuracyValidation:
    """Meta-validation of a classifier by its accuracy, on the episodes of an `Evaluator`.

    Args:
      evaluator: draws the episodes.
      classifier: what is validated.
      step: tells at which step it is; of use where the evaluator draws fresh episodes at each.
    """

    name = "val_accuracy"  # percent

    def __init__(
        self, evaluator: "Evaluator", classifier: Classifier, step: Callable[[], int] = lambda: 0
    ) -> None:
        self.evaluator = evaluator
        self.classifier = classifier
        self.step = step

    def at(self, step: int) -> Accuracy:
        """Evaluate the classifier as it is now, on the episodes of a step."""
        self.evaluator.renew(step)
        return summarise(self.evaluator.outcomes(self.classifier))

    def __call__(self) -> Validated:
        """Evaluate the classifier as it is now; value and score are in percent."""
        accuracy = self.at(self.step())
        return Validated(accuracy.mean, accuracy.mean, str(accuracy), not accuracy.not_finite)


class Evaluator:
    """Evaluate classifiers on a sequence of episodes of a split, which is fixed unless it is fresh.

    Queries of linear classifiers are not gathered: the weights of all episodes that drew a class
    are multiplied with the class's whole block of embeddings at once, and images that are not
    queries are masked.

    Args:
      embeddings: the split.
      way, shot, queries: sizes of an episode; queries are per class.
      episodes: how many to evaluate.
      seed: integer; the episodes are a function of (split, seed) and of no model.
      fresh: whether they are a function of (split, seed, step), for the step of `renew`.

    Raises:
      EpisodeSizeError: if the split is too small.
      ValueError: if no episodes are asked for.
    """

    def __init__(
        self,
        embeddings: EmbeddingSet,
        way: int,
        shot: int,
        queries: int,
        episodes: int,
        seed: int,
        fresh: bool = False,
    ) -> None:
        if episodes < 1:
            raise ValueError(f"episodes must be at least 1, not {episodes}")
        self.sampler = EpisodeSampler(embeddings, way, shot, queries, TASKS_DRAWN)
        self.episodes = episodes
        self._seed = seed
        self._step = tf.Variable(0, dtype=tf.int64) if fresh else None
        self._datasets = {}

    def renew(self, step: int) -> None:
        """Evaluate on the episodes of a step from now on, if they are fresh at each."""
        if self._step is not None:
            self._step.assign(step)

    def accuracies(
        self, classifier: Classifier, progress: Callable[[int], object] | None = None
    ) -> np.ndarray:
        """Accuracy of each episode, see `outcomes`: float array [episodes], in [0, 1]."""
        return self.outcomes(classifier, progress).accuracies

    def outcomes(
        self, classifier: Classifier, progress: Callable[[int], object] | None = None
    ) -> Outcomes:
        """Evaluate a classifier on every episode.

        Args:
          classifier: what to evaluate.
          progress: called with the number of episodes that were just evaluated.

        Raises:
          ValueError: if the classifier does not serve episodes of these sizes.
        """
        return Outcomes(*self.judged(classifier, OUTCOMES, progress))

    def judged(
        self,
        classifier: Classifier,
        judge: Judge,
        progress: Callable[[int], object] | None = None,
    ) -> list[np.ndarray]:
        """Return what a `Judge` finds of a classifier on every episode, arrays [episodes, ...]."""
        parts = self.parts(classifier, judge, progress)
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    def parts(
        self,
        classifier: Classifier,
        judge: Judge,
        progress: Callable[[int], object] | None = None,
    ) -> Iterator[list[np.ndarray]]:
        """Yield the same for some episodes at a time, in their order."""
        check_served(classifier.serves, (self.sampler.way, self.sampler.shot))
        if (classifier, judge) not in self._datasets:
            evaluate = self._linear if classifier.classify is None else self._gathered
            self._datasets[classifier, judge] = unrewritten(evaluate(classifier, judge))
        left = self.episodes
        for part in self._datasets[classifier, judge]:
            found = [each.numpy()[:left] for each in part]
            left -= len(found[0])
            yield found
            if progress is not None:
                progress(len(found[0]))
            if not left:
                break

    def _drawn(self, support_only):
        """A dataset of `EpisodeIndices` of `TASKS_DRAWN` episodes."""
        numbers = tf.data.Dataset.range(math.ceil(self.episodes / TASKS_DRAWN))
        return numbers.map(
            lambda number: self.sampler.indices(self._seed_of(number), support_only),
            num_parallel_calls=2,
        )

    def _seed_of(self, number):
        """Return the seed of a group of episodes."""
        name = f"{self.sampler.embeddings.name}/evaluation"
        if self._step is None:
            return stream_seed(name, self._seed, number)
        of_step = stream_seed(f"{name}/fresh", self._seed, self._step)
        return tf.random.fold_in(of_step, tf.cast(number, tf.int32), alg="philox")

    def _linear(self, classifier, judge):
        """A dataset of what a judge finds; several groups of episodes are evaluated at a time."""
        sampler = self.sampler
        all_others = (sampler.embeddings.counts == sampler.shot + sampler.queries).all()
        pairs = (sampler.way * sampler.shot) ** 2
        grouped = min(MOST_TASKS, MOST_PAIRS // pairs) // TASKS_DRAWN

        def evaluate(indices):
            adapted = classifier.fit(sampler.raw_images(indices.classes, indices.support))
            return judge.linear(sampler, indices, weights_and_biases(adapted), classifier.mean)

        drawn = self._drawn(bool(all_others)).batch(max(1, grouped)).map(_merge_draws)
        return drawn.map(evaluate, os.cpu_count() or 1)

    def _gathered(self, classifier, judge):
        """The same for classifiers that want to see the queries, as many tasks as memory has."""
        sampler = self.sampler
        queries = sampler.way * sampler.queries
        tasks = max(1, min(TASKS_DRAWN, MOST_GATHERED // (queries * sampler.embeddings.dim)))

        def evaluate(indices):
            params = classifier.fit(sampler.raw_images(indices.classes, indices.support))
            query = sampler.raw_images(indices.classes, indices.query)
            scores, labels = _in_groups(classifier, params, query)
            if not scores.dtype.is_floating:  # votes
                scores = tf.cast(scores, tf.float64)
            labels = tf.broadcast_to(labels, tf.shape(scores)[:2])
            return judge.scored(indices, scores, labels)

        return self._drawn(support_only=False).rebatch(tasks).map(evaluate)


def _in_groups(classifier, params, query):
    """Score queries [tasks, way, queries, dim], as many of a class together as a classifier wants.

    Returns:
      The scores, [tasks, way * queries, way], and the labels of all tasks, [way * queries].
    """
    way, queries, dim = query.shape[1:]
    size = min(classifier.together or queries, queries)
    whole = queries // size
    scores, labels = [], []  # in `query_order`
    for groups, part in ((whole, query[:, :, : whole * size]), (1, query[:, :, whole * size :])):
        if not part.shape[2]:
            continue
        part = tf.reshape(part, [-1, way, groups, part.shape[2] // groups, dim])
        flat = tf.reshape(tf.transpose(part, [0, 2, 1, 3, 4]), [-1, way * part.shape[3], dim])
        fitted = params  # without `together`, any structure of tensors
        if groups > 1:
            fitted = tf.nest.map_structure(lambda each, n=groups: tf.repeat(each, n, 0), params)
        found = classifier.score(fitted, flat)
        scores.append(tf.reshape(found, [-1, groups * flat.shape[1], found.shape[-1] or way]))
        labels.append(tf.tile(tf.repeat(tf.range(way), part.shape[3]), [groups]))
    return tf.concat(scores, axis=1), tf.concat(labels, axis=0)


def query_order(way: int, queries: int, together: int | None) -> np.ndarray:
    """Return where the queries of an episode are found that a `Judge` gets scores of, in turn.

    Args:
      way, queries: of the episode.
      together: of the classifier.

    Returns:
      Places in [way, queries], in a row: int [way * queries].
    """
    size = min(together or queries, queries)
    end = queries - queries % size
    places = np.arange(way * queries).reshape(way, queries)
    whole = places[:, :end].reshape(way, -1, size).transpose(1, 0, 2)
    return np.concatenate([whole.ravel(), places[:, end:].ravel()])


def not_linear(*_: object) -> tuple:
    """Stand for a `Judge.linear` where classifiers are `Classifier.gathered()`."""
    raise TypeError("give Classifier.gathered(), whose queries are scored one by one")


def _merge_draws(indices):
    return EpisodeIndices(
        *(None if part is None else tf.reshape(part, [-1, *part.shape[2:]]) for part in indices)
    )


def _linear_outcomes(sampler, indices, fitted, mean):
    right, finite = judge(sampler.embeddings, indices, *fitted, mean=mean)
    return Outcomes(right / tf.cast(sampler.way * sampler.queries, tf.float32), finite)


def _scored_outcomes(indices, scores, labels):
    return Outcomes(share_right(scores, labels), _are_finite(scores))


def _are_finite(scores):
    """Tell tasks of whose scores [tasks, n, way] none is NaN and each query's best is finite."""
    # A score of minus infinity is that of a class that is ruled out, a probability of 0.
    has_nan = tf.reduce_any(tf.math.is_nan(scores), axis=[1, 2])
    best = tf.reduce_max(scores, axis=-1)
    return ~has_nan & tf.reduce_all(tf.math.is_finite(best), axis=1)


OUTCOMES = Judge(_linear_outcomes, _scored_outcomes)
