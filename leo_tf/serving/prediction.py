"""From examples and queries, pictures or embeddings, to classes with probabilities."""

import dataclasses
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from data_pipeline.images import same_pictures
from data_pipeline.one_line import plain
from leo_tf.serving import embedded, given, networks, served
from leo_tf.serving.given import Given
from leo_tf.serving.words import counted
from leo_tf.startup import start_tensorflow

UNKNOWN = "unknown"  # the answer below --reject_below


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a user asks for.

    Attributes:
      model: a run, a SavedModel, a shipped model or a method without training.
      support, queries: what to learn from, what to classify.
      shot: examples of each class that are learned from, chosen by `seed`; None for all.
      backbone: name of the network that embeds pictures; None for the model's.
      weights: file of its weights; None for where they were.
      reject_below: probability below which the answer is `UNKNOWN`; None to answer always.
    """

    model: str
    support: Given
    queries: Given
    shot: int | None = None
    seed: int = 0
    backbone: str | None = None
    weights: str | None = None
    reject_below: float | None = None


class Predictions(NamedTuple):
    """What became of queries, in the order of their names.

    Attributes:
      classes: of the examples, sorted.
      examples, queries: those that could be used.
      probabilities: float64 [n, classes].
      answers: the most probable class of each, or `UNKNOWN`.
      truths: the class that each is of; None where it is not known.
      skipped: (picture, why), of those that could not be used.
      notes: whatever else is to be known, a sentence each.
      model, backbone: titles; backbone is "" where none is known.
      seconds: that this took, TensorFlow's start included.
    """

    classes: tuple[str, ...]
    examples: Given
    queries: Given
    probabilities: np.ndarray
    answers: tuple[str, ...]
    truths: tuple[str | None, ...]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    model: str
    backbone: str
    seconds: float

    @property
    def right(self) -> list[bool | None]:
        """Whether each answer is right, see `is_right`; None where the truth is not known.

        All are judged each time.
        """
        classes = frozenset(self.classes)
        return [
            None if truth is None else is_right(truth, answer, classes)
            for truth, answer in zip(self.truths, self.answers, strict=True)
        ]

    def by_doubt(self) -> list[int]:
        """Number the queries, the least certain first."""
        return np.argsort(self.probabilities.max(axis=1), kind="stable").tolist()


def is_right(truth: str, answer: str, classes: Collection[str]) -> bool:
    """Return whether an answer is right; about a query of none of the classes, `UNKNOWN` is."""
    if truth in classes:
        return answer == truth
    return answer == UNKNOWN and UNKNOWN not in classes


def predict(asked: Asked) -> Predictions:
    """Adapt a model to the examples, and classify the queries.

    Raises:
      FileNotFoundError, ValueError: one line about what was given, or that does not fit together.
    """
    began = time.monotonic()
    examples = given.examples(asked.support, asked.shot, asked.seed)
    queries = given.without(asked.queries, examples)
    named = networks.Named(asked.backbone, asked.weights)
    network = networks.find(asked.model, served.about(asked.model), examples, queries, named)
    notes = [*_of_files(asked, queries), *network.notes]
    start_tensorflow()
    support, query = embedded.embed([examples, queries], network)
    _check_left(support, query)
    classifier, told = _fitted(asked, support)
    answers = classifier.predict(query.embeddings)
    classes = tuple(map(str, classifier.classes_))
    truths = given.truths(query.given, classes)
    notes += [*told, *_copies(support, query), *_of_no_class(truths, classes, asked.reject_below)]
    return Predictions(
        classes,
        support.given,
        query.given,
        classifier.predict_proba(query.embeddings),
        tuple(map(str, answers)),
        truths,
        (*support.skipped, *query.skipped),
        tuple(notes),
        asked.model,
        network.title,
        time.monotonic() - began,
    )


def _of_files(asked: Asked, queries: Given) -> Iterator[str]:
    """Say what of the files is not used."""
    for each in dict.fromkeys((asked.support.place, asked.queries.place)):
        others = next(g.others for g in (asked.support, asked.queries) if g.place == each)
        if others:
            count = counted(len(others), "file")
            yield f"{count} below {plain(str(each))} not used, as no pictures: {plain(others[0])}."
    if left := len(asked.queries) - len(queries):
        yield f"{counted(left, 'query')} left out, as among the examples."


def _check_left(support, query):
    """Raise a ValueError, one line, if too little can be used, or examples contradict."""
    classes = Counter(support.given.labels)
    lost = sorted(set(support.asked.labels) - set(classes))
    if lost:
        name, why = support.skipped[0]
        raise ValueError(
            f"{support.given.place}: no example of class {lost[0]!r} can be used ({name}: {why})"
        )
    if not len(query.given):
        name, why = query.skipped[0]
        raise ValueError(f"{query.given.place}: no query can be used ({name}: {why})")
    sizes = [each.embeddings.shape[1] for each in (support, query)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"{query.given.place}: embeddings of size {sizes[1]}, {support.given.place} has those "
            f"of size {sizes[0]}; embed both by one network"
        )
    numbers = {label: number for number, label in enumerate(classes)}
    owners = np.array([numbers[label] for label in support.given.labels])
    _, example = same_pictures.shared(support.digests, owners)
    if example:
        one, other = (support.given.names[row] for row in example)
        first, second = (support.given.labels[row] for row in example)
        raise ValueError(
            f"{support.given.place}: {one} and {other} are the same, but examples of {first!r} and "
            f"of {second!r}; leave one out"
        )


def _fitted(asked, support):
    """Return the classifier, fitted, and what it said."""
    from leo_tf.serving.few_shot_classifier import FewShotClassifier

    rejecting = {"reject_below": asked.reject_below, "unknown_label": UNKNOWN}
    classifier = FewShotClassifier(asked.model, **rejecting)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        classifier.fit(support.embeddings, np.array(support.given.labels))
    notes = {str(each.message) for each in told if issubclass(each.category, UserWarning)}
    if not classifier.calibrated_ and not notes:
        notes = {f"{asked.model} is not calibrated: probabilities tell an order, and no more"}
    return classifier, [f"{note}." for note in sorted(notes)]


def _copies(support, query):
    """Say how many queries are copies of examples: they tell little."""
    same = np.isin(query.digests, support.digests[support.digests != 0])
    if same.any():
        first = query.given.names[int(same.argmax())]
        yield f"{counted(int(same.sum()), 'query')} byte by byte the same as an example: {first}."


def _of_no_class(truths, classes, rejecting):
    """Say which queries are of classes without examples."""
    others = Counter(truth for truth in truths if truth is not None and truth not in classes)
    if others:
        names = ", ".join(sorted(others))
        what = f"{UNKNOWN!r} alone is right about them"
        takes = "" if rejecting else ", which takes --reject_below"
        count = counted(others.total(), "query")
        yield f"{count} of classes without examples ({names[:200]}): {what}{takes}."
