"""Runs that differ in their seed alone, and what they say together."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from leo_tf.config.experiments import Regression
from leo_tf.config.methods import DEFAULT, title
from leo_tf.reports.collected import Run
from leo_tf.studies.comparison import Mean, mean_of, paired

SHOWN = 3  # settings that tell two groups apart; the others are counted


class Task(NamedTuple):
    """What is learned: what runs must share to stand in one table."""

    kind: str
    dataset: str
    crop: str  # "" of a regression
    split: str  # how classes were shared out; "" as the files say
    way: int  # 0 of a regression
    shot: int  # of a regression, its support points

    def __str__(self) -> str:
        if self.kind == Regression.kind:
            return f"{self.dataset}, {self.shot} support points"
        shared = f", classes shared out {self.split}" if self.split else ""
        return f"{self.dataset} ({self.crop}), {self.way}-way {self.shot}-shot{shared}"


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one configuration, each with a seed of its own, in the order of the seeds."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """Any of them: they agree in all but the seed."""
        return self.runs[0]

    @property
    def finished(self) -> list[Run]:
        """Those that have a result."""
        return [run for run in self.runs if run.result is not None]

    @property
    def method(self) -> str:
        """The value of --method."""
        return self.first.config.method

    @property
    def title(self) -> str:
        """The name of the method, for people."""
        return title(self.method)

    @property
    def task(self) -> Task:
        """What is learned."""
        experiment = self.first.config.experiment
        if isinstance(experiment, Regression):
            return Task(experiment.kind, experiment.dataset, "", "", 0, experiment.points)
        of_data = experiment.dataset, experiment.crop, experiment.split
        return Task(experiment.kind, *of_data, experiment.way, experiment.shot)

    @property
    def seeds(self) -> str:
        """Their seeds, with commas between them."""
        return ", ".join(str(run.seed) for run in self.runs)

    @property
    def place(self) -> str:
        """The folder that they lie in side by side, or the folder of each."""
        parents = {os.path.dirname(run.name) for run in self.runs}
        if len(self.runs) > 1 and len(parents) == 1:
            return parents.pop() or os.curdir
        return ", ".join(run.name for run in self.runs)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that they agree in, by name."""
        decides = self.first.config.deciding()
        flat = {name: value for name, value in decides.items() if name != "seed"}
        origin = self.first.origin
        digests = {} if flat.get("split") else origin.get("data") or {}
        data = {f"data of {name}": str(digest)[:8] for name, digest in digests.items()}
        file = {"method.py": str(origin.get("method_digest") or "")[:8]}
        return {**flat, **data, **file}

    @functools.cached_property
    def accuracy(self) -> Mean:
        """Mean test accuracy over the finished runs of a classification, in percent."""
        results = [run.told for run in self.finished]
        halves = [each.get("ci95") for each in results]
        return mean_of([each["test_accuracy"] for each in results], halves)


def grouped(runs: Iterable[Run]) -> tuple[list[Group], list[str]]:
    """Put runs together that differ in their seed alone.

    Returns:
      The groups, in the order of their first runs, and a line for each run that has the
      configuration and the seed of another one, which alone is counted.
    """
    found: dict[tuple, dict[int, Run]] = {}
    doubles = []
    for run in runs:
        settings = Group((run,)).settings
        key = tuple(sorted((name, repr(value)) for name, value in settings.items()))
        of_key = found.setdefault(key, {})
        there = of_key.setdefault(run.seed, run)
        if there is not run:
            doubles.append(
                f"{run.name}: has the configuration and the seed of {there.name}, which alone is "
                "counted."
            )
    groups = [Group(tuple(each[seed] for seed in sorted(each))) for each in found.values()]
    return groups, doubles


def by_task(groups: Iterable[Group], first: Sequence[str]) -> dict[Task, list[Group]]:
    """Sort groups by what is learned; the data sets of `first` come first, in its order."""
    found: dict[Task, list[Group]] = {}
    for group in groups:
        found.setdefault(group.task, []).append(group)

    def order(task):
        rank = first.index(task.dataset) if task.dataset in first else len(first)
        return rank, task

    return {task: found[task] for task in sorted(found, key=order)}


def variants(groups: Sequence[Group]) -> dict[int, str]:
    """Say of groups of one method what tells them apart, and where they lie.

    Returns:
      {position in `groups`: text}, of those that share their title with another one.
    """
    alike: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        alike.setdefault(group.title, []).append(position)
    found = {}
    for positions in alike.values():
        if len(positions) < 2:
            continue
        settings = [groups[i].settings for i in positions]
        names = list(dict.fromkeys(name for each in settings for name in each))
        differing = [n for n in names if len({repr(each.get(n)) for each in settings}) > 1]
        for i, each in zip(positions, settings, strict=True):
            told = [
                f"{name} {each[name]}" for name in differing if each.get(name) not in (None, "")
            ]
            more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
            found[i] = f"{', '.join(told[:SHOWN])}{more}; {groups[i].place}".removeprefix("; ")
    return found


def reference(groups: Sequence[Group]) -> Group | None:
    """Choose LEO's runs that the others of a task are compared with; None if there are none.

    Of several, those whose data, steps and sizes most groups share; then those of most seeds.
    """

    def budget(group):
        return dataclasses.replace(group.first.config.experiment, seed=0, devices=1)

    candidates = [group for group in groups if group.method == DEFAULT]
    if not candidates:
        return None
    shared = [sum(budget(each) == budget(group) for each in groups) for group in candidates]
    ranks = [(count, len(g.runs)) for count, g in zip(shared, candidates, strict=True)]
    return candidates[ranks.index(max(ranks))]


def difference(group: Group, leo: Group) -> Mean | None:
    """Compare runs with LEO's of the same seeds on the same episodes.

    Returns:
      The mean difference in percent, over the seeds that both have; None if no episodes are known
      to be the same, or none are kept.
    """
    of_seed = {run.seed: run for run in leo.runs}
    pairs = [(run, of_seed[run.seed]) for run in group.runs if run.seed in of_seed]
    apart = [found for run, other in pairs if (found := _apart(run, other)) is not None]
    return mean_of([e["mean"] for e in apart], [e["ci95"] for e in apart]) if apart else None


def _apart(run: Run, leo: Run) -> dict[str, Any] | None:
    """Mean and half the interval of the differences of two runs; None if they are not known."""
    data = [(each.origin.get("data") or {}).get("test") for each in (run, leo)]
    if data[0] != data[1] or run.told["queries"] != leo.told["queries"]:
        return None
    if run.episodes is not None and leo.episodes is not None:
        same = len(run.episodes) == len(leo.episodes)
        return paired(run.episodes, leo.episodes) if same else None
    if run.kept and run.kept[0] == leo.folder.path.absolute():
        return run.kept[1]
    return None
