"""Test a SavedModel on a data set, in one setting or in several."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from data_pipeline.embeddings import EmbeddingSet
from leo_tf import provenance
from leo_tf.classification.confusion import Confusion
from leo_tf.classification.export import load
from leo_tf.classification.protocol import TRAINED_AS, trained_on
from leo_tf.classification.result import confused, measure
from leo_tf.config.experiments import Classification
from leo_tf.config.methods import DEFAULT
from leo_tf.training import saved_model


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
    ((found, _),) = evaluate_each(folder, [experiment], episodes, embeddings, split)
    return found


def evaluate_each(
    folder: str | os.PathLike,
    experiments: Sequence[Classification],
    episodes: int,
    embeddings: EmbeddingSet,
    split: str = "test",
    per_class: bool = False,
) -> Iterator[tuple[dict[str, Any], Confusion | None]]:
    """Test a SavedModel in several settings, see `evaluate`; it is loaded once.

    Yields:
      What `result.table` takes, and, if `per_class`, which classes were taken for which.
    """
    classifier = load(folder, embeddings.dim)
    about = saved_model.about(folder)
    trained = [name for name in ("train", "val") if name == "train" or about.get("train_on_val")]
    if embeddings.content.digest in [about.get("data", {}).get(name) for name in trained]:
        print(f"warning: {folder} was trained on {embeddings.name}", file=sys.stderr)
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
            "class_split": about.get("split") or "",
            # What was let pass when it was trained, of these data alone.
            "allow_overlap": about.get("dataset") == experiment.dataset
            and bool(about.get("allow_overlap")),
            "trained_on": trained_on(about, method),
            **measure(classifier, embeddings, *sizes),
            "provenance": provenance.describe(),
        }
        yield found, confused(classifier, embeddings, *sizes) if per_class else None
