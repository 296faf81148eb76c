"""A classifier's accuracy beside that of the baseline and published numbers."""

from collections.abc import Mapping
from typing import Any

import tqdm

from data_pipeline import console
from data_pipeline.embeddings import EmbeddingSet
from leo_tf import methods
from leo_tf.classification.evaluation import Evaluator, default_queries, summarise
from leo_tf.config.methods import BASELINE, DEFAULT, METHODS
from leo_tf.meta.classifier import Classifier
from leo_tf.published.reference import published
from leo_tf.training.ending import remarks


def measure(
    classifier: Classifier,
    embeddings: EmbeddingSet,
    way: int,
    shot: int,
    episodes: int,
    seed: int,
) -> dict[str, Any]:
    """Evaluate a classifier and the baseline on the same episodes.

    Args:
      classifier: what to evaluate.
      embeddings: the classes to draw episodes from.
      way, shot: sizes of an episode.
      episodes: how many.
      seed: integer; decides the episodes.

    Returns:
      A dict: test_accuracy, ci95, nearest_centroid_accuracy, nearest_centroid_ci95 (percent; an
      interval of one episode is None), test_episodes, queries (per class), and the episodes that
      either adapted to weights that are not finite: not_finite_episodes,
      nearest_centroid_not_finite_episodes.

    Raises:
      EpisodeSizeError: if the split is too small.
    """
    queries = default_queries(embeddings, shot)
    evaluator = Evaluator(embeddings, way, shot, queries, episodes, seed)
    baseline = methods.build(BASELINE, METHODS[BASELINE].settings(), embeddings)
    with tqdm.tqdm(
        total=2 * episodes, unit="episode", desc="test", disable=not console.shows_progress()
    ) as bar:
        found = summarise(evaluator.outcomes(classifier, bar.update))
        beside = summarise(evaluator.outcomes(baseline, bar.update))
    return {
        "test_accuracy": found.mean,
        "ci95": found.ci95,
        "test_episodes": found.episodes,
        "not_finite_episodes": found.not_finite,
        "queries": queries,
        f"{BASELINE}_accuracy": beside.mean,
        f"{BASELINE}_ci95": beside.ci95,
        f"{BASELINE}_not_finite_episodes": beside.not_finite,
    }


def table(result: Mapping[str, Any]) -> str:
    """Lay out a result as lines of text.

    Args:
      result: a dict with method (LEO if it has none), dataset, crop, way, shot, split and what
        `measure` returns.
    """
    heading = (
        f"{result['dataset']} ({result['crop']}), {result['way']}-way {result['shot']}-shot, "
        f"{result['split']}: {result['test_episodes']} episodes, "
        f"{result['queries']} queries per class"
    )
    method, accuracy = result.get("method", DEFAULT), result["test_accuracy"]
    title = METHODS[method].title if method in METHODS else method
    rows = [(f"{title}, this run", _figure(accuracy, result["ci95"]), "")]
    beside = []
    if method != BASELINE:
        name = f"{METHODS[BASELINE].title} of the embeddings"
        beside.append((name, result[f"{BASELINE}_accuracy"], result[f"{BASELINE}_ci95"]))
    if result["split"] == "test":
        setting = (result[name] for name in ("dataset", "crop", "way", "shot"))
        beside += [(row.method, row.accuracy, row.interval) for row in published(*setting)]
    rows += [
        (name, _figure(figure, interval), f"{accuracy - figure:+.2f}")
        for name, figure, interval in beside
    ]
    lines = [f"{'accuracy, %':>49}" + (f"   {title} minus it" if beside else "")]
    width = len(title) + len(" minus it")
    lines += [f"{name:36} {figure:>14}  {gap:>{width}}".rstrip() for name, figure, gap in rows]
    note = "± is the 95 % interval of the mean over the episodes; published ± is over runs."
    return "\n".join([heading, *lines, note, *_not_finite(result, title), *remarks(result)])


def _figure(accuracy, interval):
    return f"{accuracy:6.2f} ± {'-' if interval is None else format(interval, '.2f')}"


def _not_finite(result, title):
    """Say how many episodes a classifier adapted to weights that are not finite."""
    found = {title: "", METHODS[BASELINE].title: f"{BASELINE}_"}
    counts = {name: result.get(f"{kind}not_finite_episodes") for name, kind in found.items()}
    return [
        f"{name}: {count} of {result['test_episodes']} episodes adapted to weights that are not "
        "finite; a query is wrong about such a score."
        for name, count in counts.items()
        if count
    ]
