"""What a classification trains and tests on, read and checked; needs no TensorFlow."""

import dataclasses
import itertools
import os
from collections.abc import Sequence
from typing import NamedTuple

from data_pipeline.datasets import DATA_PATH, load_split, load_splits
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import (
    EpisodeSizeError,
    EpisodeSizes,
    check_episode,
    default_queries,
)
from leo_tf.config import Config
from leo_tf.config.experiments import Classification


class Splits(NamedTuple):
    """The `EmbeddingSet`s of a run."""

    train: EmbeddingSet  # or train and val together
    val: EmbeddingSet
    test: EmbeddingSet

    def digests(self) -> dict[str, str]:
        """Return {split: what tells its embeddings from any others}."""
        return {name: split.content.digest for name, split in self._asdict().items()}


def load(config: Config, data_path: str | os.PathLike | None = None) -> Splits:
    """Read what a run trains and tests on, and check that it is enough, and apart.

    Args:
      config: a classification.
      data_path: folder of data sets.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
      EpisodeSizeError: if a split is too small.
    """
    experiment = config.experiment
    names = [train_split(experiment), *Splits._fields[1:]]
    data_path = DATA_PATH if data_path is None else data_path
    where = data_path, experiment.dataset, experiment.crop
    splits = Splits(*load_splits(*where, names, experiment.allow_overlap))
    check_sizes(config, splits)
    return splits


def load_train(
    experiment: Classification, data_path: str | os.PathLike | None = None
) -> EmbeddingSet:
    """Read what a run is trained on.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    data_path = DATA_PATH if data_path is None else data_path
    return load_split(data_path, experiment.dataset, experiment.crop, train_split(experiment))


def settings_tested(
    experiment: Classification, ways: Sequence[int] | None, shots: Sequence[int] | None
) -> list[Classification]:
    """Return an experiment once for each way and shot that it is to be tested with.

    Args:
      experiment: the others of its settings.
      ways, shots: None for those of the experiment.

    Raises:
      ValueError: one line, if there can be no such episode, or it is no classification.
    """
    if experiment.kind != Classification.kind:
        raise ValueError("a regressor is evaluated on --tasks=FILE.npz")
    found = []
    for way, shot in itertools.product(ways or [experiment.way], shots or [experiment.shot]):
        try:
            found.append(dataclasses.replace(experiment, way=way, shot=shot))
        except ValueError as error:
            raise ValueError(f"--{error}") from None
    return list(dict.fromkeys(found))


def load_tested(
    experiments: Sequence[Classification], data_path: str | os.PathLike, split: str = "test"
) -> EmbeddingSet:
    """Read a split to test on, and check that it is enough.

    Args:
      experiments: one data set, and the sizes of the episodes of each test.
      data_path: folder of data sets.
      split: train, val or test.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
      EpisodeSizeError: if the split is too small.
    """
    first = experiments[0]
    embeddings = load_split(data_path, first.dataset, first.crop, split)
    for experiment in experiments:
        check_test_sizes(experiment, embeddings)
    return embeddings


def train_split(experiment: Classification) -> str:
    """Return the name of the split that an experiment trains on."""
    return "train+val" if experiment.train_on_val else "train"


def check_sizes(config: Config, splits: Splits) -> None:
    """Raise an EpisodeSizeError if a split is too small for the episodes of a run."""
    if config.settings.trained:
        sizes = config.settings.batch_spec(EpisodeSizes.of(config.experiment))
        if sizes.base and splits.train.num_classes < 2:
            raise EpisodeSizeError(
                f"{splits.train.name} has one class; --method={config.method} learns from the base "
                "classes together, give it two or more"
            )
        if sizes.way:
            asked = config.experiment.train_way, config.experiment.train_shot
            names = (f"train_{n}" if a else n for n, a in zip(("way", "shot"), asked, strict=True))
            check_episode(splits.train, *sizes[:3], names=tuple(names))
    for split in (splits.val, splits.test):
        check_test_sizes(config.experiment, split)


def check_test_sizes(experiment: Classification, split: EmbeddingSet) -> None:
    """Raise an EpisodeSizeError if a split is too small to validate or test on."""
    queries = default_queries(split, experiment.shot)
    check_episode(split, experiment.way, experiment.shot, queries)
