"""What a classification trains and tests on, read and checked; needs no TensorFlow."""

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline.class_split import assign, check_pool, load_pool, pool_splits, take
from data_pipeline.datasets import (
    DATA_PATH,
    SPLITS,
    check_dataset,
    files_of,
    load_split,
    load_splits,
    splits_there,
)
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import (
    EpisodeSizeError,
    EpisodeSizes,
    check_episode,
    default_queries,
)
from data_pipeline.split_checks import check_apart
from leo_tf.config import Config
from leo_tf.config.experiments import PLAIN, Classification
from leo_tf.training.run_folder import RunFolder, read_json, write_json


class Splits(NamedTuple):
    """The `EmbeddingSet`s of a run."""

    train: EmbeddingSet  # or train and val together
    val: EmbeddingSet | None  # None: there is none, and the last step is the result
    test: EmbeddingSet

    def digests(self) -> dict[str, str]:
        """Return {split: what tells its embeddings from any others}."""
        return {name: split.content.digest for name, split in self._asdict().items() if split}


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
    data_path = DATA_PATH if data_path is None else data_path
    where = data_path, experiment.dataset, experiment.crop
    if experiment.split:
        found = _shared_out(experiment, data_path)
        check_apart([found[name] for name in SPLITS if name in found], experiment.allow_overlap)
        splits = Splits(found[train_split(experiment)], found.get("val"), found["test"])
    else:
        there = splits_there(*where)
        _check_val(experiment, there)
        names = [train_split(experiment), *there[1:]]
        found = dict(zip(there, load_splits(*where, names, experiment.allow_overlap), strict=True))
        splits = Splits(**{"val": None, **found})
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
    if experiment.split:
        return _shared_out(experiment, data_path)[train_split(experiment)]
    return load_split(data_path, experiment.dataset, experiment.crop, train_split(experiment))


def _shared_out(experiment, data_path):
    """Return {split: classes} as an experiment's seed shares them out; train+val, too."""
    pool = load_pool(data_path, experiment.dataset, experiment.crop)
    classes = assign(pool.class_names, experiment.split, experiment.seed)
    if experiment.train_on_val:
        if not classes["val"]:
            raise ValueError(f"split {experiment.split} has no val; leave out --train_on_val")
        classes["train+val"] = sorted(classes["train"] + classes["val"])
    return {name: take(pool, names, name) for name, names in classes.items() if names}


def check_there(experiment: Classification, data_path: str | os.PathLike, split: str = "") -> None:
    """Check that a data set has what an experiment needs; reads nothing.

    Args:
      experiment: names the data set.
      data_path: folder of data sets.
      split: the one that is needed; "" for all.

    Raises:
      FileNotFoundError, ValueError: see `datasets.check_dataset`.
    """
    where = data_path, experiment.dataset, experiment.crop
    if experiment.split:
        check_pool(*where)
    elif split:
        check_dataset(*where, [split])
    else:
        _check_val(experiment, splits_there(*where))


def files(experiment: Classification, data_path: str | os.PathLike) -> dict[str, Path]:
    """Return the files that an experiment reads, by their paths below a folder of data sets.

    Raises:
      FileNotFoundError, ValueError: see `datasets.check_dataset`.
    """
    where = data_path, experiment.dataset, experiment.crop
    return files_of(*where, pool_splits(*where) if experiment.split else splits_there(*where))


def _check_val(experiment, there):
    """Raise a ValueError, one line, if a protocol needs a val and it is not among the splits."""
    if "val" not in there and experiment.protocol != PLAIN:
        raise ValueError(
            f"protocol {experiment.protocol} needs a val, and {experiment.dataset} has none; leave "
            "--protocol out"
        )


def keep_classes(folder: RunFolder, splits: Splits) -> None:
    """Write down in a run's folder which class is in which split, or compare with what is there.

    Raises:
      ValueError: one line, if the folder's classes are shared out in another way.
    """
    classes = {name: list(split.class_names) for name, split in splits._asdict().items() if split}
    if not folder.classes.is_file():
        write_json(folder.classes, classes)
    elif read_json(folder.classes, "remove it, and the run writes it again") != classes:
        raise ValueError(
            f"{folder.classes}: its classes are shared out in another way than this run's; remove "
            "it if it is not of this run, or choose another --run_dir"
        )


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


def shared_out_as(experiment: Classification, about: Mapping[str, Any]) -> Classification:
    """Return an experiment with the classes shared out as those of what is tested were.

    Args:
      experiment: of the test.
      about: the configuration of the run, or what its SavedModel tells of itself.
    """
    if experiment.kind != Classification.kind:
        return experiment
    of_these = about.get("dataset") == experiment.dataset
    return dataclasses.replace(experiment, split=(about.get("split") or "") if of_these else "")


def load_tested(
    experiments: Sequence[Classification],
    data_path: str | os.PathLike,
    split: str = "test",
    run: RunFolder | None = None,
    about: Mapping[str, Any] | None = None,
) -> EmbeddingSet:
    """Read a split to test on, and check that it is enough.

    Args:
      experiments: one data set, and the sizes of the episodes of each test.
      data_path: folder of data sets.
      split: train, val or test.
      run: the folder of the run that is tested, which has its classes if they were shared out.
      about: what the SavedModel tells of itself that is tested without the folder of its run.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
      EpisodeSizeError: if the split is too small.
    """
    first = experiments[0]
    where = data_path, first.dataset, first.crop
    if first.split:
        embeddings = _taken(first, load_pool(*where), split, run, about or {})
    else:
        embeddings = load_split(*where, split)
    for experiment in experiments:
        check_test_sizes(experiment, embeddings)
    return embeddings


def _taken(experiment, pool, split, run, about):
    """Return the classes that a split of a run is, of all that there are."""
    if run:
        classes = read_json(run.classes, "give the command of the run again, which writes it")
    else:
        classes = assign(pool.class_names, experiment.split, about["seed"])
    if not classes.get(split):
        raise ValueError(f"{run or 'the model'}: {split} has no classes of {experiment.split}")
    found = take(pool, classes[split], split)
    told = (about.get("data") or {}).get(split) if about.get("crop") == experiment.crop else None
    both = split == "train" and about.get("train_on_val")  # what it learned from is more than train
    if not run and told and not both and told != found.content.digest:
        raise ValueError(
            f"{pool.name}: is not what the model's classes were shared out of, so that it may have "
            "learned from those of the test; give the data of its run"
        )
    return found


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
        if split is not None:
            check_test_sizes(config.experiment, split)


def check_test_sizes(experiment: Classification, split: EmbeddingSet) -> None:
    """Raise an EpisodeSizeError if a split is too small to validate or test on."""
    queries = default_queries(split, experiment.shot)
    check_episode(split, experiment.way, experiment.shot, queries)


def check_output(
    path: str | None, tasks: str | None, ways: Sequence[int] | None, shots: Sequence[int] | None
) -> None:
    """Raise a ValueError, one line, if a file of predictions does not fit what is evaluated.

    Args:
      path: the file, or None.
      tasks: file of regression tasks, or None.
      ways, shots: that a classifier is to be tested in, or None for one of each.
    """
    if tasks and not path:
        raise ValueError("--tasks and --predictions go together; give both or neither")
    if not path or tasks:
        return
    if path.endswith(".npz"):
        raise ValueError(
            f"--predictions={path}: those of a classifier are CSV; name a .csv, or give "
            "--tasks=FILE.npz for a regressor"
        )
    if len(ways or [0]) * len(shots or [0]) > 1:
        raise ValueError("--predictions writes one setting; give one --way and one --shot")
