"""Test a SavedModel on a data set, in one setting or in several."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import tqdm

from data_pipeline import cards, console
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import default_queries
from leo_tf import provenance
from leo_tf.classification import predictions, rejection
from leo_tf.classification.confusion import Confusion
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import load
from leo_tf.classification.protocol import TRAINED_AS, trained_on
from leo_tf.classification.result import confused, measure
from leo_tf.config.experiments import Classification
from leo_tf.config.methods import DEFAULT
from leo_tf.training import run_folder


class Wanted(NamedTuple):
    """What is told of a test beside its accuracy."""

    per_class: bool = False  # which classes were taken for which
    predictions: str | None = None  # file for the answer to every query, see `predictions`
    rejection: bool = False  # what rejecting answers costs and catches, see `rejection`


class Tested(NamedTuple):
    """What a test in one setting found."""

    result: dict[str, Any]  # what `result.table` takes; with `rejection` if that was wanted
    classes: Confusion | None
    lines: tuple[str, ...]  # what else there is to be said


def evaluate(
    folder: str | os.PathLike,
    experiment: Classification,
    episodes: int,
    embeddings: EmbeddingSet,
    split: str = "test",
) -> dict[str, Any]:
    """Test a SavedModel on episodes of a data set; says so if it was trained on these very data.

    Args:
      folder: the SavedModel.
      experiment: the data set and the sizes of an episode.
      episodes: how many.
      embeddings: what `inputs.load_tested` returns.
      split: its name: train, val or test.

    Returns:
      What `result.table` takes.

    Raises:
      FileNotFoundError, ValueError: one line about the SavedModel.
      EpisodeSizeError: if the split is too small.
    """
    (found,) = evaluate_each(folder, [experiment], episodes, embeddings, split)
    return found.result


def evaluate_each(
    folder: str | os.PathLike,
    experiments: Sequence[Classification],
    episodes: int,
    embeddings: EmbeddingSet,
    split: str = "test",
    wanted: Wanted = Wanted(),  # noqa: B008
) -> Iterator[Tested]:
    """Test a SavedModel in several settings, see `evaluate`; it is loaded once."""
    classifier = load(folder, embeddings.dim)
    about = run_folder.about(folder)
    trained = [name for name in ("train", "val") if name == "train" or about.get("train_on_val")]
    if embeddings.content.digest in [about.get("data", {}).get(name) for name in trained]:
        print(f"warning: {folder} was trained on {embeddings.name}", file=sys.stderr)
    if not cards.same(about.get("backbone"), embeddings.backbone):
        print(
            f"warning: {folder} was trained on embeddings by {cards.title(about['backbone'])}, "
            f"{embeddings.name} has those by {cards.title(embeddings.backbone)}",
            file=sys.stderr,
        )
    method = about.get("method", DEFAULT)
    for experiment in experiments:
        names = ("dataset", "crop", "way", "shot", "seed")
        sizes = experiment.way, experiment.shot, episodes, experiment.seed
        found = {
            "method": method,
            "split": split,
            **{name: getattr(experiment, name) for name in names},
            "train_on_val": about.get("train_on_val"),
            **{name: about[name] for name in TRAINED_AS if name in about},
            "class_split": experiment.split,
            # What was let pass when it was trained, of these data alone.
            "allow_overlap": about.get("dataset") == experiment.dataset
            and bool(about.get("allow_overlap")),
            "trained_on": trained_on(about, method),
            **measure(classifier, embeddings, *sizes),
            "provenance": provenance.describe(),
        }
        if wanted.rejection:
            measured = *sizes[:2], experiment.seed, about.get("temperature")
            found["rejection"] = rejection.trade_off(classifier, embeddings, *measured)
        classes = confused(classifier, embeddings, *sizes) if wanted.per_class else None
        lines = _beside(classifier, embeddings, sizes, found, wanted)
        yield Tested(found, classes, tuple(lines))


def _beside(classifier, embeddings, sizes, found, wanted):
    """Yield what there is to be said of a test beside its table, and write the predictions."""
    if wanted.rejection:
        yield rejection.table(found["rejection"])
    if wanted.predictions:
        way, shot, episodes, seed = sizes
        queries = default_queries(embeddings, shot)
        evaluator = Evaluator(embeddings, way, shot, queries, episodes, seed)
        quiet = not console.shows_progress()
        with tqdm.tqdm(total=episodes, unit="episode", desc="predict", disable=quiet) as bar:
            yield predictions.write(wanted.predictions, evaluator, classifier, bar.update)
