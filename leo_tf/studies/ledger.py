"""The trials of a search, in an Optuna study: each is done once, whatever stops it."""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from leo_tf.studies import entries, trials
from leo_tf.studies.entries import NUMBER, SETTINGS, TOLD, numbers
from leo_tf.studies.owners import Job, Owner
from leo_tf.studies.sampling import SeededSampler, distributions
from leo_tf.studies.search import Search
from leo_tf.studies.storage import open_storage

Pruned = optuna.TrialPruned  # what an objective raises when its report has said so
Report = Callable[[int, float], bool]  # of a step and its accuracy; returns whether to end there
# Of the number of a trial, its settings, and a report. Returns {"val_accuracy": percent}, and what
# else the record of the trial shall have.
Objective = Callable[[int, dict[str, Any], Report], Mapping[str, Any]]

_OWNER = "owner"  # attribute of a trial
_TERMS = "search"  # attribute of a study, and entry of a record


def taken_over(search: Search) -> "Ledger":
    """Return the trials of a search that this process leads, see `Ledger.take_over`.

    Raises:
      ValueError: one line, also if the record is of another search.
    """
    record = trials.read(search.record, search.method)
    _compare(search, record[_TERMS], search.record)  # before anything is made in its folder
    ledger = Ledger(search)
    ledger.take_over(record["trials"])
    return ledger


def _compare(search, theirs, where):
    """Raise a ValueError if trials that are there are of another search."""
    if theirs and (apart := trials.differences(theirs, search.terms)):
        raise ValueError(
            f"{where}: has trials of another search: {apart}; leave that as it was, or choose "
            "another folder"
        )


class Ledger:
    """The trials of a search: who runs which, and what became of them.

    Any number of processes may hold one of the same search.

    Args:
      search: what is searched.

    Raises:
      ValueError: one line, if the study cannot be opened, is damaged, or is of another search.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        search.folder.mkdir(parents=True, exist_ok=True)
        storage = open_storage(search.folder, search.storage)
        # A journal is of one search, wherever its folder was moved.
        there = optuna.get_all_study_names(storage)
        name = there[0] if there and search.storage is None else str(search.folder)
        how = {
            "storage": storage,
            "sampler": SeededSampler(search.sampler, search.seed),
            "pruner": optuna.pruners.MedianPruner() if search.prune else optuna.pruners.NopPruner(),
        }
        if name in there:
            self.study = optuna.load_study(study_name=name, **how)
            theirs = self.study.user_attrs.get(_TERMS)
            _compare(search, theirs, search.storage or search.folder)
        else:
            self.study = optuna.create_study(
                study_name=name, direction="maximize", load_if_exists=True, **how
            )
        self._distributions = distributions(search.ranges)

    def take_over(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        """Begin, or go on: take in what the record has, and do again what was left undone.

        For the process that leads the search, before any runs a trial.

        Args:
          recorded: trials of the record, see `trials.read`.

        Raises:
          ValueError: one line, if another process on this machine works at the search in this
            folder.
        """
        running = self._trials(TrialState.RUNNING)
        left = [each for each in running if self._is_left(each)]
        self.study.set_user_attr(_TERMS, self.search.terms)
        ranges = self.search.ranges
        for entry in recorded:
            if entry["trial"] not in self._numbered():
                try:
                    self.study.add_trial(entries.taken_in(entry, ranges, self._distributions))
                except (TypeError, ValueError) as error:
                    raise ValueError(
                        f"{self.search.record}: trial {entry['trial']} is none of this search "
                        f"({error}); remove the file to try settings anew"
                    ) from None
        if 0 not in self._numbered():
            fixed = {name: each.nearest(each.start) for name, each in ranges.items()}
            starts = {name: each.start for name, each in ranges.items()}
            self.study.enqueue_trial(fixed, {NUMBER: 0, SETTINGS: starts})
        self._do_again(left)

    def _is_left(self, trial):
        """Return whether nobody works at a running trial any more."""
        if _OWNER not in trial.user_attrs:  # stopped before it could say who runs it
            return True
        owner = Owner.read(trial.user_attrs[_OWNER])
        if self.search.storage is not None:
            return not (owner.living or owner.is_elsewhere)
        if owner.living:
            raise ValueError(
                f"{self.search.folder}: process {owner.living.number} works at trial "
                f"{trial.user_attrs.get(NUMBER, trial.number)}; wait for it or end it"
            )
        return True

    def _do_again(self, left: Iterable[FrozenTrial]):
        """Queue trials again that nobody runs any more, with the settings that they had."""
        of_all, numbered = numbers(self._trials()), self._numbered()
        for each in left:
            number = of_all[each.number]
            if numbered[number].number == each.number:  # that has not been done yet
                told = {str(step): value for step, value in each.intermediate_values.items()}
                kept = {NUMBER: number, TOLD: {**each.user_attrs.get(TOLD, {}), **told}}
                if SETTINGS in each.user_attrs:
                    kept[SETTINGS] = each.user_attrs[SETTINGS]
                self.study.enqueue_trial(each.params, kept)
            self.study.tell(each.number, state=TrialState.FAIL, skip_if_finished=True)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _numbered(self) -> dict[int, FrozenTrial]:
        """Return {number in the search: the last trial of the study that has it}, in order."""
        found = self._trials()
        return dict(sorted(zip(numbers(found), found, strict=True), key=lambda each: each[0]))

    @property
    def left(self) -> int:
        """How many trials are neither done nor run by anyone."""
        states = [each.state for each in self._numbered().values()]
        return max(0, self.search.count - len(states) + states.count(TrialState.WAITING))

    @property
    def running(self) -> int:
        """How many trials are run by now."""
        return sum(each.state == TrialState.RUNNING for each in self._numbered().values())

    def run(self, job: Job, objective: Objective) -> None:
        """Run a trial, if one is left: one that was stopped, or the next.

        Args:
          job: whose trial it is; what the same job has left running is done again.
          objective: judges settings. A ValueError, FileNotFoundError or MemoryError is the fault of
            the settings, and the trial has failed; with any other exception it is queued again.
        """
        running = self._trials(TrialState.RUNNING)
        owned = [each for each in running if _OWNER in each.user_attrs]
        self._do_again(e for e in owned if Owner.read(e.user_attrs[_OWNER]).job == job)
        if not self.left:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental in Optuna
            trial = self.study.ask(self._distributions)
        try:
            trial.set_user_attr(_OWNER, Owner.of(job))
            number = numbers(self._trials())[trial.number]
            trial.set_user_attr(NUMBER, number)
            self._judge(trial, number, objective)
        except optuna.exceptions.UpdateFinishedTrialError:
            return  # another has taken it over, for whom this process had seemed dead
        except BaseException:
            self._do_again(
                each for each in self._trials(TrialState.RUNNING) if each.number == trial.number
            )
            raise

    def _judge(self, trial, number, objective):
        """Have a trial's settings judged, and tell the study."""
        told = {int(step): value for step, value in trial.user_attrs.get(TOLD, {}).items()}
        for step, value in told.items():
            trial.report(value, step)

        def report(step, value):
            if step not in told:  # a trial that goes on may do steps again
                trial.report(value, step)
            return trial.should_prune()

        began, kept = time.perf_counter(), {}
        state, value = TrialState.COMPLETE, None
        try:
            kept = dict(objective(number, entries.settings(trial, self.search.ranges), report))
            value = kept.pop("val_accuracy")
            if not math.isfinite(value):
                raise ValueError(f"its validation accuracy is {value}")
        except Pruned:
            state = TrialState.PRUNED
        except (ValueError, FileNotFoundError, MemoryError) as error:
            state, value = TrialState.FAIL, None
            kept = {"fault": str(error) or type(error).__name__}
        seconds = round(time.perf_counter() - began, 1)
        trial.set_user_attr(entries.FOUND, {**kept, "seconds": seconds})
        self.study.tell(trial, value, state=state, skip_if_finished=True)

    @property
    def record(self) -> dict[str, Any]:
        """The record of the trials that are done, in order; see `trials.read`."""
        done = [
            entries.entry(number, each, self.search.ranges)
            for number, each in self._numbered().items()
            if entries.is_done(each)
        ]
        return {"method": self.search.method, _TERMS: self.search.terms, "trials": done}

    def write(self) -> dict[str, Any]:
        """Write the record, which is made anew of the study; returns it."""
        record = self.record
        trials.write(self.search.record, record)
        return record
