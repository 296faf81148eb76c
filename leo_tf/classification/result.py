"""A classifier's accuracy beside that of the baseline and published numbers."""

import itertools
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tqdm

from data_pipeline import atomic, console, paths
from data_pipeline.embeddings import EmbeddingSet
from leo_tf import methods
from leo_tf.classification.accuracies import summarise
from leo_tf.classification.confusion import Confusion, confusion
from leo_tf.classification.evaluation import Evaluator, default_queries
from leo_tf.classification.protocol import (
    FOUND_THE_STEP,
    NOTHING,
    UNKNOWN,
    circumstances,
    differences,
    first_stage,
    training,
)
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.config.methods import BASELINE, DEFAULT, METHODS
from leo_tf.config.methods import title as title_of
from leo_tf.meta.classifier import Classifier
from leo_tf.published.reference import published
from leo_tf.training.ending import remarks

WIDTH = 88  # of notes below the table
# What several runs are summed up by, {label: (figure, half its interval over episodes, decimals)}.
FIGURES = {
    "accuracy, %": ("test_accuracy", "ci95", 2),
    f"{METHODS[BASELINE].title}, %": (f"{BASELINE}_accuracy", f"{BASELINE}_ci95", 2),
}


def measure(
    classifier: Classifier,
    embeddings: EmbeddingSet,
    way: int,
    shot: int,
    episodes: int,
    seed: int,
    keep: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Evaluate a classifier and the baseline on the same episodes.

    Args:
      classifier: what to evaluate.
      embeddings: the classes to draw episodes from.
      way, shot: sizes of an episode.
      episodes: how many.
      seed: integer; decides the episodes.
      keep: NumPy file for the classifier's accuracy in each episode; None for none.

    Returns:
      A dict: test_accuracy, ci95 (percent; None of one episode), test_episodes, queries (a class),
      not_finite_episodes (that it had no finite answer to), the same of the baseline with
      nearest_centroid_ before; queries_together, if so many of a class are scored together.

    Raises:
      EpisodeSizeError: if the split is too small.
    """
    queries = default_queries(embeddings, shot)
    evaluator = Evaluator(embeddings, way, shot, queries, episodes, seed)
    baseline = methods.build(BASELINE, METHODS[BASELINE].settings(), embeddings)
    quiet = not console.shows_progress()
    with tqdm.tqdm(total=2 * episodes, unit="episode", desc="test", disable=quiet) as bar:
        outcomes = evaluator.outcomes(classifier, bar.update)
        found = summarise(outcomes)
        beside = summarise(evaluator.outcomes(baseline, bar.update))
    if keep is not None:
        with atomic.writer(paths.expand(keep)) as file:
            np.save(file, outcomes.accuracies)
    return {
        "test_accuracy": found.mean,
        "ci95": found.ci95,
        "test_episodes": found.episodes,
        "not_finite_episodes": found.not_finite,
        "queries": queries,
        **({"queries_together": classifier.together} if classifier.together else {}),
        f"{BASELINE}_accuracy": beside.mean,
        f"{BASELINE}_ci95": beside.ci95,
        f"{BASELINE}_not_finite_episodes": beside.not_finite,
    }


def confused(
    classifier: Classifier, embeddings: EmbeddingSet, way: int, shot: int, episodes: int, seed: int
) -> Confusion:
    """Count which classes are taken for which in the episodes of `measure`, whose arguments it has.

    Raises:
      EpisodeSizeError: if the split is too small.
    """
    queries = default_queries(embeddings, shot)
    return confusion(Evaluator(embeddings, way, shot, queries, episodes, seed), classifier)


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """Lay out several results of one model, a line each, below one heading."""
    baseline = METHODS[BASELINE].title
    lines = [f"{'way':>5}  {'shot':>4}  {'accuracy, %':>14}  {baseline:>18}  {'difference':>10}"]
    for each in results:
        accuracy, beside = each["test_accuracy"], each[f"{BASELINE}_accuracy"]
        ours, theirs = (
            _figure(accuracy, each["ci95"]),
            _figure(beside, each[f"{BASELINE}_ci95"]),
        )
        sizes = f"{each['way']:5}  {each['shot']:4}"
        lines.append(f"{sizes}  {ours:>14}  {theirs:>18}  {accuracy - beside:>+10.2f}")
    return "\n".join(lines)


def table(result: Mapping[str, Any]) -> str:
    """Lay out a result as lines of text, beside published figures if there are any.

    Every row beside published ones says what it was trained on, and what else sets the two apart
    is told below.

    Args:
      result: a dict with method (LEO if it has none), dataset, crop, way, shot, split, trained_on
        or train_on_val (not known if it has neither) and what `measure` returns.
    """
    method = result.get("method", DEFAULT)
    title = title_of(method)
    setting = (result[name] for name in ("dataset", "crop", "way", "shot"))
    as_published = result["split"] == "test" and not result.get("class_split")
    others = published(*setting) if as_published else []
    notes = ["± is the 95 % interval of the mean over the episodes."]
    for each in [*circumstances(result, method), *first_stage(result)]:
        notes += textwrap.wrap(each, WIDTH)
    if others:
        told = (
            textwrap.wrap(each, WIDTH, initial_indent="- ", subsequent_indent="  ")
            for each in differences(result, method)
        )
        notes += ["What sets the published figures apart:", *itertools.chain(*told)]
    lines = _rows(result, method, title, others)
    return "\n".join([heading(result), *lines, *notes, *faults(result)])


def heading(result: Mapping[str, Any]) -> str:
    """Name the data set, the sizes and the number of test episodes of a result."""
    return (
        f"{result['dataset']} ({result['crop']}), {result['way']}-way {result['shot']}-shot, "
        f"{result['split']}: {result['test_episodes']} episodes, "
        f"{result['queries']} queries per class"
    )


def faults(result: Mapping[str, Any]) -> list[str]:
    """Say what was not finite, in the test and in the training, a sentence each."""
    title = title_of(result.get("method", DEFAULT))
    first = remarks(result.get(EARLY_STOPPING, {}), FOUND_THE_STEP)
    return [*_not_finite(result, title), *first, *remarks(result)]


def _rows(result, method, title, others):
    """Lines of the table: this run, the baseline, published figures; the last column is the gap."""
    accuracy, splits = result["test_accuracy"], training(result, method)
    rows = [(f"{title}, this run", splits, _figure(accuracy, result["ci95"]), "")]
    beside = []
    if method != BASELINE:
        name = f"{METHODS[BASELINE].title} of the embeddings"
        beside.append((name, NOTHING, result[f"{BASELINE}_accuracy"], result[f"{BASELINE}_ci95"]))
    beside += [
        (_name(row), row.trained_on or UNKNOWN, row.accuracy, row.interval) for row in others
    ]
    rows += [
        (name, splits, _figure(figure, interval), f"{accuracy - figure:+.2f}")
        for name, splits, figure, interval in beside
    ]
    gap = f"{title} minus it" if beside else ""
    rows.insert(0, ("", "trained on", "accuracy, % ", gap))
    # Where nothing published stands beside it, what it was trained on decides no comparison.
    wide = max(len(row[1]) for row in rows) if others else 0
    return [
        f"{name:36} {splits[:wide]:{wide}}{figure:>14}  {gap:>{len(rows[0][3])}}".rstrip()
        for name, splits, figure, gap in rows
    ]


def _name(row):
    """A published row's method and source, the method once if the source names it."""
    return row.source if row.source.startswith(row.method) else f"{row.method}, {row.source}"


def _figure(accuracy, interval):
    return f"{accuracy:6.2f} ± {'-   ' if interval is None else format(interval, '.2f')}"


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
