"""What a study of methods runs: rows, folders, configurations. No TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_pipeline import paths
from leo_tf.classification.inputs import Splits
from leo_tf.config import Config, make_config, methods, presets
from leo_tf.config.methods import DEFAULT, METHODS
from leo_tf.studies import trials
from leo_tf.studies.ranges import ranges
from leo_tf.studies.search import Search, about
from leo_tf.training.run_folder import RunFolder

PRESET = "_preset"  # ends the name of a row that has a method's full preset, not the budget
NOTES = "notes.md"  # of a study, written by hand: what its table should say besides
COST = "cost.json"  # beside the result of a run: its parameters and times
CENTRED = "_centred"  # ends the name of a folder of runs with --centre
PRESETS = (DEFAULT + PRESET,)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every method of a study may spend."""

    trials: int = 6  # settings that are tried, the defaults first; at the first shot, used at all
    trial_steps: int = 300
    steps: int = 1000  # of a run
    test_episodes: int = 10_000
    validations: int = 4  # of a run; a trial has one
    validation_episodes: int = 500

    def __str__(self) -> str:
        return (
            f"Budget: {self.trials} trials of {self.trial_steps} steps for each method that has "
            f"settings to choose, chosen on {self.validation_episodes} validation episodes at the "
            "first shot and used at all; runs "
            f"of {self.steps} steps, the best of {self.validations} validations; "
            f"{self.test_episodes} test episodes a run."
        )


@dataclasses.dataclass(frozen=True)
class Study:
    """A comparison of methods on one data set.

    Args:
      root: folder of studies; its own is root/DATASET.
      dataset, crop, way, queries: what is learned.
      shots, seeds: of the runs of each method.
      rows: names in `METHODS`, or one with `PRESET`.
      budget: of each.
      centre: whether the first seed is run with --centre, too.
      data_path: folder of the data sets.
    """

    root: str | os.PathLike
    dataset: str
    crop: str
    way: int
    queries: int
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    rows: tuple[str, ...]
    budget: Budget
    data_path: str | os.PathLike | None = None
    centre: bool = False

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return paths.expand(self.root) / self.dataset

    def trials(self, row: str) -> Path:
        """The record of a row's trials."""
        return self.folder / row / "trials.json"

    def untried(self, row: str) -> bool:
        """Whether trials of a row are missing: of a method without settings to choose, one."""
        if row.endswith(PRESET):
            return False
        count = self.budget.trials if ranges(METHODS[row]) else 1
        return len(trials.read(self.trials(row), row)["trials"]) < count

    def search(self, row: str, splits: Splits) -> Search:
        """Return the trials of a row as a search, given the data."""
        found = ranges(METHODS[row])
        shared = about(self.trial_config(row, {}), found, splits.digests())
        count = self.budget.trials if found else 1
        return Search(self.trials(row).parent, row, found, shared, count, seed=self.seeds[0])

    def run(self, row: str, shot: int, seed: int, centre: bool = False) -> RunFolder:
        """The folder of a run."""
        sizes = f"{self.way}way_{shot}shot{CENTRED if centre else ''}"
        return RunFolder(self.folder / row / sizes / f"seed{seed}")

    def trial_config(self, row: str, settings: dict[str, Any]) -> Config:
        """Return the configuration of a trial of a row with some of its settings given."""
        steps = self.budget.trial_steps
        sizes = {"steps": steps, "validate_every": steps, "seed": self.seeds[0]}
        return self._config(row, self.shots[0], settings, sizes)

    def run_config(
        self, row: str, shot: int, seed: int, centre: bool, settings: dict[str, Any]
    ) -> Config:
        """Return the configuration of a run of a row with the settings that were chosen."""
        sizes: dict[str, Any] = {"seed": seed, "centre": centre}
        if row.endswith(PRESET):
            sizes["test_episodes"] = self.budget.test_episodes
            return make_config("classification", method_of(row), **self._of_data(shot), **sizes)
        steps = self.budget.steps
        every = max(1, steps // self.budget.validations)
        return self._config(row, shot, settings, {"steps": steps, "validate_every": every, **sizes})

    def _of_data(self, shot):
        names = ("dataset", "crop", "way", "queries")
        return {"shot": shot, **{name: getattr(self, name) for name in names}}

    def _config(self, row, shot, settings, sizes):
        """Of the settings that are not given, all have their defaults: presets had more trials."""
        entry = METHODS[row]
        defaults = {field.name: field.default for field in dataclasses.fields(entry.settings)}
        return make_config(
            "classification",
            row,
            **self._of_data(shot),
            validation_episodes=self.budget.validation_episodes,
            test_episodes=self.budget.test_episodes,
            **sizes,
            **{**defaults, **entry.changes, **settings},
        )


def method_of(row: str) -> str:
    """Return the method of a row."""
    return row.removesuffix(PRESET)


def title(row: str) -> str:
    """Name a row for people."""
    of_method = methods.title(method_of(row))
    return f"{of_method}, its full preset" if row.endswith(PRESET) else of_method


def chosen_rows(asked: Sequence[str], dataset: str, shots: Sequence[int]) -> tuple[str, ...]:
    """Return the rows that are asked for by name, "all" standing for every one.

    Rows of a full preset are those whose method has one for the data.

    Raises:
      ValueError: one line, if there is no such row.
    """
    known = *METHODS, *(row for row in PRESETS if _has_preset(row, dataset, shots))
    if list(asked) == ["all"]:
        return known
    for row in asked:
        if row not in known:
            raise ValueError(
                f"methods has no {row!r} on {dataset}; there are {', '.join(known)}, or all"
            )
    return tuple(dict.fromkeys(asked))


def _has_preset(row, dataset, shots):
    file = METHODS[method_of(row)].file
    return any(presets.preset(file, dataset, shot) for shot in shots)
