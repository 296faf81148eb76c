"""What `leo_tf.tune` searches: the settings of a method on a data set. No TensorFlow."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline import paths
from leo_tf.classification.inputs import Splits
from leo_tf.config import Config, make_config
from leo_tf.config.configuration import method_entry
from leo_tf.config.experiments import PLAIN, Classification
from leo_tf.config.methods import own
from leo_tf.studies.ranges import Range, ranges
from leo_tf.studies.search import Search, about


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Trials of a method's settings, each a training of the same number of steps.

    Args:
      method: as --method names it.
      experiment: {name: value} of the experiment's settings, of every trial.
      start: {name: value} of the method's settings in the first trial; others have the same of
        those that are not searched.
      ranges: of those that are.
      data_path: folder of the data sets.
    """

    method: str
    experiment: Mapping[str, Any]
    start: Mapping[str, Any]
    ranges: Mapping[str, Range]
    data_path: str

    @classmethod
    def of(cls, config: Config, method: str, asked: Mapping[str, Any], data_path: str) -> "Tuning":
        """Return the trials that a command asks for.

        Args:
          config: of a run with the same flags.
          method: as --method names it.
          asked: settings that a flag gives, which are not searched.
          data_path: folder of the data sets.

        Raises:
          ValueError: one line, if there is nothing to search, or nothing to judge settings by.
        """
        if config.experiment.kind != Classification.kind:
            raise ValueError("a search is for classifiers; choose a --dataset of classes")
        if config.experiment.protocol != PLAIN:
            raise ValueError(
                f"--protocol={config.experiment.protocol} is for a run: trials are judged on the "
                "same episodes; leave it out, and give it to leo_tf.run with what is found"
            )
        if config.experiment.train_on_val:
            raise ValueError("--train_on_val leaves nothing to judge settings by; leave it out")
        entry = method_entry(Classification, method)
        start = {field.name: field.default for field in dataclasses.fields(entry.settings)}
        if config.preset is not None:
            start = dataclasses.asdict(config.settings)
        start = {**start, **entry.changes, **{n: v for n, v in asked.items() if n in start}}
        found = ranges(entry, start, asked)
        if not found:
            raise ValueError(
                f"--method={method} has no settings to search, beside those that flags give; train "
                "it by python -m leo_tf.run"
            )
        tuning = cls(method, dataclasses.asdict(config.experiment), start, found, data_path)
        tuning.config({})
        return tuning

    def config(self, settings: Mapping[str, Any]) -> Config:
        """Return the configuration of a trial, or of a run, with settings that are searched."""
        given = {**self.experiment, **self.start, **settings}
        return make_config(Classification.kind, self.method, **given)

    @property
    def title(self) -> str:
        """Name what is searched, for people."""
        of, method = self.experiment, Path(own.stem(self.method)).name
        return f"{method} on {of['dataset']}, {of['way']}-way {of['shot']}-shot"

    def search(self, splits: Splits, folder: str | None, **how: Any) -> Search:
        """Return the search.

        Args:
          splits: the data.
          folder: of the search; None for runs/tune/ and what sets it apart.
          **how: count, sampler, prune and storage of the `Search`.

        Raises:
          ValueError: one line, if there are no meta-validation classes.
        """
        if splits.val is None:
            raise ValueError(
                f"{splits.train.name}: has no val beside it, whose classes settings are judged by; "
                "add it, or share one file out by --split=64/16/20"
            )
        config = self.config({})
        parts = config.experiment.folder, own.stem(config.method), f"seed{config.experiment.seed}"
        where = Path("runs/tune", *parts) if folder is None else paths.expand(folder)
        shared = about(config, self.ranges, splits.digests())
        return Search(where, config.method, self.ranges, shared, seed=config.experiment.seed, **how)
