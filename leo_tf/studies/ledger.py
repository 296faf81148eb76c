"""The trials of a search, in an Optuna study: each is done once, whatever stops it."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from leo_tf.studies import entries, trials
from leo_tf.studies.entries import FOUND, NUMBER, SETTINGS, TOLD, numbers
from leo_tf.studies.given import Given, Objective, judged
from leo_tf.studies.owners import Process
from leo_tf.studies.sampling import SeededSampler, distributions
from leo_tf.studies.search import Search
from leo_tf.studies.storage import open_storage

_OWNER = "process"  # attribute of a trial: of the command that has given it out
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
    if apart := search.differences(theirs or {}):
        raise ValueError(
            f"{where}: has trials of another search: {apart}; leave that as it was, or choose "
            "another folder"
        )


class Ledger:
    """The trials of a search: which command has given out which, and what became of them.

    Any number of commands may hold one of the same search, if it is in a database.

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
        how = {"storage": storage, "sampler": SeededSampler(search.sampler, search.seed)}
        if name in there:
            self.study = optuna.load_study(study_name=name, **how)
            theirs = self.study.user_attrs.get(_TERMS)
            _compare(search, theirs, search.storage or search.folder)
        else:
            self.study = optuna.create_study(
                study_name=name, direction="maximize", load_if_exists=True, **how
            )
        self._distributions = distributions(search.ranges)
        self._given: dict[int, optuna.Trial] = {}  # by number; not back yet

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
        owner = Process(*trial.user_attrs[_OWNER])
        if self.search.storage is not None:
            return owner.is_local and not owner.lives
        if owner.lives:
            raise ValueError(
                f"{self.search.folder}: process {owner.number} works at trial "
                f"{trial.user_attrs.get(NUMBER, trial.number)}; wait for it or end it"
            )
        return True

    def _do_again(self, left: Iterable[FrozenTrial]):
        """Queue trials again that nobody runs any more, with the settings that they had."""
        of_all, numbered = numbers(self._trials()), self._numbered()
        for each in left:
            number = of_all[each.number]
            if numbered[number].number == each.number:  # that has not been done yet
                kept = {NUMBER: number}
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
        """How many trials are neither done nor given out by anyone."""
        states = [each.state for each in self._numbered().values()]
        return max(0, self.search.count - len(states) + states.count(TrialState.WAITING))

    @property
    def running(self) -> int:
        """How many trials are given out by now."""
        return sum(each.state == TrialState.RUNNING for each in self._numbered().values())

    def give(self) -> Given | None:
        """Give out a trial, if one is left: one that was stopped, or the next."""
        if not self.left:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental in Optuna
            trial = self.study.ask(self._distributions)
        trial.set_user_attr(_OWNER, Process.here())
        number = numbers(self._trials())[trial.number]
        trial.set_user_attr(NUMBER, number)
        self._given[number] = trial
        settings = entries.settings(trial, self.search.ranges)
        complete = self._trials(TrialState.COMPLETE)
        others = tuple(dict(each.intermediate_values) for each in complete)
        return Given(number, settings, others, self.search.prune)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take back a trial that was given out, and tell the study what became of it.

        Args:
          entry: of the trial, see `given.judged`.
        """
        trial = self._given[entry["trial"]]
        told = ("trial", "settings", "state", "val_accuracy", TOLD)
        found = {name: value for name, value in entry.items() if name not in told}
        try:
            for step, value in entry.get(TOLD, {}).items():
                trial.report(math.nan if value is None else value, int(step))
            trial.set_user_attr(FOUND, found)
            state = entries.STATES[entry["state"]]
            self.study.tell(trial, entry["val_accuracy"], state=state, skip_if_finished=True)
        except optuna.exceptions.UpdateFinishedTrialError:
            pass  # another has taken it over, for whom this process had seemed dead
        del self._given[entry["trial"]]

    def give_up(self) -> None:
        """Queue again whatever was given out and is not back."""
        given = {each.number for each in self._given.values()}
        self._given = {}
        self._do_again(e for e in self._trials(TrialState.RUNNING) if e.number in given)

    def run(self, objective: Objective) -> None:
        """Run a trial here, if one is left; whatever stops it queues it again.

        Args:
          objective: judges settings, see `given.judged`.
        """
        try:
            if (given := self.give()) is not None:
                self.take(judged(given, objective))
        finally:
            self.give_up()

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
