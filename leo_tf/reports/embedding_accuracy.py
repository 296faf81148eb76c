"""How good embeddings are without any training on them: two classifiers over test episodes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import default_queries
from leo_tf import methods
from leo_tf.classification.accuracies import Accuracy, summarise
from leo_tf.classification.evaluation import Evaluator
from leo_tf.config.methods import BASELINE, METHODS

WAY, SHOTS, EPISODES, SEED = 5, (1, 5), 1000, 0
UNTRAINED = (BASELINE, "logistic_regression")


class Measured(NamedTuple):
    """A classifier's accuracy on episodes of some sizes."""

    method: str
    way: int
    shot: int
    accuracy: Accuracy | None  # None: it cannot be measured
    queries: int | None  # of a class
    reason: str = ""  # why not

    def as_json(self) -> dict[str, Any]:
        """Return what a card's file has; an accuracy and half its 95 % interval in percent."""
        found = self.accuracy
        return {
            "method": self.method,
            "way": self.way,
            "shot": self.shot,
            "accuracy": found and found.mean,
            "ci95": found and found.ci95,
            "episodes": found and found.episodes,
            "queries": self.queries,
            **({"reason": self.reason} if self.reason else {}),
        }

    def __str__(self) -> str:
        """Say it in a line."""
        what = f"{METHODS[self.method].title}, {self.way}-way {self.shot}-shot"
        return f"{what}: {self.accuracy if self.accuracy else f'not measured, {self.reason}'}"


def measure(
    embeddings: EmbeddingSet,
    names: Sequence[str] = UNTRAINED,
    shots: Sequence[int] = SHOTS,
    episodes: int = EPISODES,
) -> list[Measured]:
    """Measure methods that need no training, on the same episodes; 5 classes, or all of fewer.

    Queries are all other images of a class, or as many as the smallest class has.

    Args:
      embeddings: the classes to draw episodes from.
      names: methods of `METHODS`.
      shots: support examples a class.
      episodes: how many.
    """
    way = min(WAY, embeddings.num_classes)
    found = []
    for shot in shots:
        reason = _too_few(embeddings, way, shot)
        if reason:
            found += [Measured(name, way, shot, None, None, reason) for name in names]
            continue
        queries = default_queries(embeddings, shot)
        evaluator = Evaluator(embeddings, way, shot, queries, episodes, SEED)
        for name in names:
            classifier = methods.build(name, METHODS[name].settings(), embeddings)
            accuracy = summarise(evaluator.outcomes(classifier))
            found.append(Measured(name, way, shot, accuracy, queries))
    return found


def _too_few(embeddings, way, shot):
    """Say why there are no such episodes, "" if there are."""
    if way < 2:
        return f"there is one class alone, {embeddings.class_names[0]!r}"
    smallest = int(embeddings.counts.argmin())
    if embeddings.counts[smallest] <= shot:
        return (
            f"class {embeddings.class_names[smallest]!r} has {embeddings.counts[smallest]} "
            f"pictures, {shot} examples leave no query"
        )
    return ""
