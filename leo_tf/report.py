"""Test a SavedModel and report its accuracy beside baselines and published numbers."""

import sys

import tqdm

from leo_tf.evaluation import Evaluator, default_queries, nearest_centroid, summarise
from leo_tf.reference import published


def test_model(loaded, embeddings, way, shot, episodes, seed):
    """Evaluate a SavedModel and the nearest-centroid baseline on the same episodes.

    Args:
      loaded: what `leo_tf.export.load` returns.
      embeddings: the `EmbeddingSet` to draw episodes from.
      way, shot: sizes of an episode.
      episodes: how many.
      seed: integer; decides the episodes.

    Returns:
      A dict: test_accuracy, ci95, nearest_centroid_accuracy, nearest_centroid_ci95 (percent),
      test_episodes, queries (per class).

    Raises:
      ValueError: if the split is too small.
    """
    queries = default_queries(embeddings, shot)
    evaluator = Evaluator(embeddings, way, shot, queries, episodes, seed)
    with tqdm.tqdm(
        total=2 * episodes, unit="episode", desc="test", disable=not sys.stderr.isatty()
    ) as bar:
        leo = summarise(evaluator.accuracies(loaded.adapt, bar.update))
        baseline = summarise(evaluator.accuracies(nearest_centroid, bar.update))
    return {
        "test_accuracy": leo.mean,
        "ci95": leo.ci95,
        "test_episodes": leo.episodes,
        "queries": queries,
        "nearest_centroid_accuracy": baseline.mean,
        "nearest_centroid_ci95": baseline.ci95,
    }


def table(result):
    """Lay out a result as lines of text.

    Args:
      result: a dict with dataset, crop, way, shot, split and what `test_model` returns.

    Returns:
      A string of several lines.
    """
    title = (
        f"{result['dataset']} ({result['crop']}), {result['way']}-way {result['shot']}-shot, "
        f"{result['split']}: {result['test_episodes']} episodes, "
        f"{result['queries']} queries per class"
    )
    accuracy = result["test_accuracy"]
    rows = [
        ("LEO, this run", f"{accuracy:6.2f} ± {result['ci95']:.2f}", ""),
        (
            "nearest centroid of the embeddings",
            f"{result['nearest_centroid_accuracy']:6.2f} ± {result['nearest_centroid_ci95']:.2f}",
            f"{accuracy - result['nearest_centroid_accuracy']:+.2f}",
        ),
    ]
    rows += [
        (row.method, f"{row.accuracy:6.2f} ± {row.interval:.2f}", f"{accuracy - row.accuracy:+.2f}")
        for row in published(result["dataset"], result["crop"], result["way"], result["shot"])
        if result["split"] == "test"
    ]
    lines = [f"{'accuracy, %':>49}   LEO minus it"]
    lines += [f"{name:36} {figure:>14}  {gap:>12}".rstrip() for name, figure, gap in rows]
    note = "± is the 95 % interval of the mean over the episodes; published ± is over runs."
    return "\n".join([title, *lines, note])


def seconds(duration):
    """Write a duration in seconds for people: "42 s", "3 min 5 s", "2 h 10 min"."""
    minutes, rest = divmod(round(duration), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
