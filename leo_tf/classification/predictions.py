"""What a classifier answers to every query of an evaluation, as a CSV file.

A row is a query: episode, image (its place within its class), true_class, class (the answer, see
`confusion.answered_class`; empty where there is none), and of each class of the episode its name
and the query's score, class_1, score_1 and so on. Scores are the model's;
`softmax(scores / temperature)` are probabilities.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from data_pipeline import atomic, paths
from data_pipeline.embeddings import EmbeddingSet
from leo_tf import markdown
from leo_tf.classification.confusion import answered_class
from leo_tf.classification.evaluation import Evaluator, Judge, not_linear, query_order
from leo_tf.meta.classifier import Classifier


def write(
    path: str | os.PathLike,
    evaluator: Evaluator,
    classifier: Classifier,
    progress: Callable[[int], object] | None = None,
) -> str:
    """Write every query of an evaluation to a file that appears whole or not at all.

    Args:
      path: the file.
      evaluator: the episodes.
      classifier: what answers.
      progress: called with the number of episodes that were just written.

    Returns:
      What was written, for people.
    """
    path, written = paths.expand(path), 0
    ways = range(1, evaluator.sampler.way + 1)
    header = ["episode", "image", "true_class", "class"]
    header += [f"{what}_{i}" for i in ways for what in ("class", "score")]
    with atomic.writer(path) as file:
        file.write(atomic.encoded(markdown.as_csv(header, [])))
        for rows in _rows(evaluator, classifier, progress):
            file.write(atomic.encoded(markdown.as_csv(rows[0], rows[1:])))
            written += len(rows)
    return f"{path}: {written} queries of {evaluator.episodes} episodes"


def _rows(evaluator, classifier, progress) -> Iterator[list[list[object]]]:
    """Yield the rows of some episodes at a time."""
    sampler, first = evaluator.sampler, 0
    order = query_order(sampler.way, sampler.queries, classifier.together)

    def answers(indices, scores, labels):
        images = tf.reshape(indices.query, [-1, sampler.way * sampler.queries])
        images = tf.gather(images, order, axis=1)
        return indices.classes, images, scores, labels, answered_class(scores, labels)

    judge = Judge(not_linear, answers)
    for part in evaluator.parts(classifier.gathered(), judge, progress):
        yield _of_episodes(sampler.embeddings, first, *part)
        first += len(part[0])


def _of_episodes(embeddings: EmbeddingSet, first, classes, images, scores, labels, answered):
    """Rows of episodes, the number of the first of which is `first`; see `_rows` for the arrays."""
    names = np.array([*embeddings.class_names, ""], object)
    none = np.full([len(classes), 1], embeddings.num_classes)
    of_episode = np.concatenate([classes, none], axis=1)
    scores = scores.astype(str).astype(np.float64)  # as few digits as tell float32 numbers apart
    rows: list[list[object]] = []
    for i, numbers in enumerate(of_episode):
        own, found = names[numbers[labels[i]]], names[numbers[answered[i]]]
        told = names[numbers[:-1]].tolist()
        columns = zip(images[i].tolist(), own, found, scores[i].tolist(), strict=True)
        for image, true, answer, values in columns:
            pairs = [cell for pair in zip(told, values, strict=True) for cell in pair]
            rows.append([first + i, image, true, answer, *pairs])
    return rows
