"""What a threshold on probability costs and catches, where queries may be of no known class.

Each episode has as many classes again as the classifier is given examples of, or as many as there
are: the queries of these are the unknown ones. An answer of less than the threshold is rejected.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizeError, default_queries
from leo_tf.classification.calibration import QUERIES, probabilities
from leo_tf.classification.evaluation import Evaluator, Judge, not_linear
from leo_tf.meta.classifier import Classifier, check_served

THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
EPISODES = 1000


def trade_off(
    classifier: Classifier,
    embeddings: EmbeddingSet,
    way: int,
    shot: int,
    seed: int,
    temperature: float | None = None,
    episodes: int = EPISODES,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, Any]:
    """Measure what rejecting answers below each of some thresholds comes to.

    Args:
      classifier: what answers.
      embeddings: classes that it was not trained on.
      way, shot: of the known classes of an episode.
      seed: decides the episodes.
      temperature: of the probabilities; None for 1.
      episodes: how many.
      thresholds: see `reject_below` of `leo_tf.FewShotClassifier`.

    Returns:
      way, shot, unknown_classes (of an episode), queries (a class), episodes, temperature, and
      thresholds: a list of dicts of threshold, rejected (percent of the queries of known classes),
      accuracy (percent of the others of these, None if there are none) and caught (percent of the
      queries of unknown classes that are rejected).

    Raises:
      EpisodeSizeError: if there are no classes beyond the way, or too few images.
      ValueError: if the classifier does not serve episodes of these sizes.
    """
    check_served(classifier.serves, (way, shot))
    unknown = min(way, embeddings.num_classes - way)
    if unknown < 1:
        raise EpisodeSizeError(
            f"{embeddings.name} has {embeddings.num_classes} classes, so with --way={way} there is "
            "no unknown one; lower the way"
        )
    queries = min(QUERIES, default_queries(embeddings, shot))
    sizes = way + unknown, shot, queries, episodes, seed
    evaluator = Evaluator(embeddings, *sizes)
    found = evaluator.judged(_of_known(classifier, way), ANSWERS)
    scores, labels = (each.reshape(-1, *each.shape[2:]) for each in found)
    sure = np.nan_to_num(probabilities(scores, temperature or 1.0)).max(axis=1)
    # Without a finite answer nothing is right, as in every test.
    known, right = labels < way, (scores.argmax(axis=1) == labels) & (sure > 0)
    rows = [_row(threshold, sure, known, right) for threshold in thresholds]
    told = {"way": way, "shot": shot, "unknown_classes": unknown, "queries": queries}
    return {**told, "episodes": episodes, "temperature": temperature, "thresholds": rows}


def _row(threshold, sure, known, right):
    """What `trade_off` tells of a threshold, given of each query the probability of its answer."""
    kept = sure >= threshold
    answered = kept & known
    share = 100 * float(right[answered].mean()) if answered.any() else None
    rejected, caught = (100 * float(1 - kept[each].mean()) for each in (known, ~known))
    return {"threshold": threshold, "rejected": rejected, "accuracy": share, "caught": caught}


def table(found: dict[str, Any]) -> str:
    """Lay out what `trade_off` returned as lines of text."""
    sizes = f"{found['way']}-way {found['shot']}-shot, {found['unknown_classes']} unknown classes"
    lines = [
        f"reject_below, {sizes}, {found['episodes']} episodes",
        f"{'below':>6}  {'rejected, %':>11}  {'accuracy of the rest, %':>23}  "
        f"{'unknown ones caught, %':>22}",
    ]
    for row in found["thresholds"]:
        share = "-" if row["accuracy"] is None else f"{row['accuracy']:.2f}"
        lines.append(
            f"{row['threshold']:6.2f}  {row['rejected']:11.2f}  {share:>23}  {row['caught']:22.2f}"
        )
    if found["temperature"] is None:
        lines.append("The model was not calibrated: probabilities are of temperature 1.")
    return "\n".join(lines)


def _of_known(classifier, way) -> Classifier:
    """Return a classifier that is given the first `way` classes of an episode, queries of all."""

    def adapt(support):
        return classifier.fit(support[:, :way])

    def classify(params, query):
        return tf.ensure_shape(classifier.score(params, query), [None, None, way])

    return Classifier(adapt, classify, together=classifier.together, raw=True)


ANSWERS = Judge(not_linear, lambda indices, scores, labels: (scores, labels))
