"""Searches of many rows at once: each trial is a job, given out as machines are free."""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tqdm

from leo_tf.classification import inputs
from leo_tf.reports import search_report
from leo_tf.reproduction.plan import Job, Plan
from leo_tf.studies.given import Given, failed
from leo_tf.studies.jobs import Machines, do_all
from leo_tf.studies.ledger import Ledger, taken_over
from leo_tf.studies.tuning import Tuning
from leo_tf.studies.tuning_work import TuningWork
from leo_tf.studies.worker import UnfitError

# Told of the end of a trial: its search, the seconds that it took if they are known, and what was
# wrong with the search, if anything is known to be.
Told = Callable[[Job, float | None, str | None], object]


class Trial(NamedTuple):
    """A trial of a search."""

    search: Job
    given: Given
    work: TuningWork

    def __str__(self) -> str:
        return f"{self.search}, {self.given}"


@dataclasses.dataclass(frozen=True)
class SearchingWork:
    """What runs the trials of a plan's searches; a `leo_tf.studies.jobs.Work`."""

    plan: Plan

    def __call__(self, trial: Trial, alone: bool) -> None:
        """Run a trial; what is wrong with its search is no fault of the others."""
        try:
            trial.work.moved(self._study(trial), self.data_path)(trial.given, alone)
        except UnfitError as error:
            raise ValueError(str(error)) from None

    def _study(self, trial):
        return self.plan.study(trial.search).absolute()

    @property
    def root(self) -> Path:
        """The folder of the reproduction."""
        return self.plan.out.absolute()

    @property
    def data_path(self) -> Path:
        """The folder of the data sets."""
        return self.plan.data_path.absolute()

    def reads(self, trial: Trial) -> list[str]:
        """Name nothing: all that a trial needs is in it."""
        return []

    def writes(self, trial: Trial) -> list[str]:
        """Name what a trial prints, trains and finds."""
        study = self._study(trial).relative_to(self.root)
        return [(study / name).as_posix() for name in trial.work.writes(trial.given)]

    def data(self) -> dict[str, Path]:
        """Return the files of the data sets, by their paths below a folder of data sets."""
        return self.plan.files()

    def moved(self, root: Path, data_path: Path) -> "SearchingWork":
        """Return the same work on files in another place."""
        return SearchingWork(dataclasses.replace(self.plan, out=root, data_path=data_path))


@dataclasses.dataclass
class _Search:
    """A search that goes on."""

    tuning: Tuning
    ledger: Ledger
    work: TuningWork
    seconds: float  # of a trial, about
    left: int  # trials that nobody has
    running: int = 0


def carry_out(plan: Plan, seconds: Mapping[Job, float], machines: Machines, told: Told) -> None:
    """Run what is left of searches, a trial of the one that needs it most at a time.

    Args:
      plan: whose searches.
      seconds: {search: those of a trial, about}, of the searches that are not done.
      machines: where trials run.
      told: see `Told`.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C; trials that ran are queued again.
    """
    searches: dict[Job, _Search] = {}
    try:
        for job, each in seconds.items():
            try:
                searches[job] = _begun(plan, job, each)
                fault = _reported(searches[job])  # of trials that all have failed before
            except (ValueError, FileNotFoundError) as error:
                fault = str(error)
            if fault is not None:
                told(job, None, fault)

        def ended(trial: Trial, fault: str | None) -> None:
            search = searches[trial.search]
            entry = failed(trial.given, fault) if fault else trial.work.found(trial.given)
            search.ledger.take(entry)
            trial.work.clear(trial.given)
            search.ledger.write()
            search.running -= 1
            told(trial.search, entry.get("seconds"), _reported(search))

        do_all(SearchingWork(plan), _trials(searches), machines, ended)
    finally:
        for search in searches.values():
            search.ledger.give_up()
            search.ledger.write()


def _begun(plan, job, seconds):
    """Open a search, or go on with it."""
    tuning = plan.tuning(job)
    splits = inputs.load(tuning.config({}), plan.data_path)
    search = tuning.search(splits, str(plan.study(job).absolute()), count=plan.trials)
    ledger = taken_over(search)
    return _Search(tuning, ledger, TuningWork.of(tuning, search), seconds, ledger.left)


def _trials(searches: Mapping[Job, _Search]) -> Iterator[Trial]:
    """Yield trials: of the searches with the fewest that run, the one with the most left to do.

    A search learns from what has ended, so its trials are better one after another.
    """
    while left := [job for job, each in searches.items() if each.left]:
        job = min(left, key=lambda job: _need(searches[job]))
        search = searches[job]
        given = search.ledger.give()
        if given is None:
            search.left = 0
            continue
        search.left -= 1
        search.running += 1
        yield Trial(job, given, search.work)


def _need(search):
    return search.running, -search.left * search.seconds


def _reported(search: _Search) -> str | None:
    """Write the report of a search that is done; returns what is wrong with it, if anything."""
    if search.left or search.running:
        return None
    try:
        told: Any = search_report.write(search.tuning, search.ledger)
    except ValueError as error:  # no trial ended in a finite model
        return str(error)
    tqdm.tqdm.write(told.splitlines()[0], file=sys.stdout)
    return None
