"""The work of `leo_tf.tune`: trials, one after another or side by side, with a bar over them."""

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tqdm
from optuna.exceptions import StorageInternalError

from data_pipeline import console, paths
from leo_tf.classification import inputs
from leo_tf.config.methods import own
from leo_tf.studies import trials
from leo_tf.studies.given import Given, Report, failed, judged
from leo_tf.studies.jobs import Machines, do_all
from leo_tf.studies.ledger import Ledger
from leo_tf.studies.log import written_to
from leo_tf.studies.search import Search
from leo_tf.studies.trial import judge
from leo_tf.studies.tuning import Tuning
from leo_tf.studies.worker import UnfitError
from leo_tf.training import strategy
from leo_tf.training.run_folder import read_json, write_json


def carry_out(tuning: Tuning, ledger: Ledger, machines: Machines) -> None:
    """Run the trials that are left of a search; its record is written after each.

    This process alone gives them out, as machines are free, and tells the study of them.

    Args:
      tuning: what is searched.
      ledger: of the search, taken over.
      machines: where trials run.

    Raises:
      ValueError: one line, if they cannot be run, as on more devices than there are, or the study
        cannot be written.
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C; trials that ran are queued again.
    """
    known = {each["trial"] for each in ledger.write()["trials"]}
    work = TuningWork.of(tuning, ledger.search)
    with tqdm.tqdm(
        total=len(known) + ledger.left,
        initial=len(known),
        desc="trials",
        unit="trial",
        disable=not console.shows_progress(),
    ) as bar:

        def told(given: Given, fault: str | None) -> None:
            ledger.take(work.found(given) if fault is None else failed(given, fault))
            work.clear(given)
            record = ledger.write()
            for each in record["trials"]:
                if each["trial"] not in known:
                    known.add(each["trial"])
                    _tell(bar, each, record)

        with _told_if_unwritten(ledger.search):
            try:
                do_all(work, iter(ledger.give, None), machines, told)
            finally:
                ledger.give_up()
                ledger.write()
    if ledger.running:
        plural = "s" * (ledger.running > 1)
        print(f"others run {ledger.running} more trial{plural} now", file=sys.stderr)


@contextlib.contextmanager
def _told_if_unwritten(search):
    try:
        yield
    except StorageInternalError as error:
        said = next(iter(str(error).splitlines()), "")
        raise ValueError(f"{search.storage or search.folder}: cannot be written ({said})") from None


def _tell(bar, trial, record):
    """Say what became of a trial, and advance the bar."""
    bar.update()
    if trial["state"] == trials.COMPLETE:
        bar.set_postfix_str(f"best {trials.best_trial(record)['val_accuracy']:.2f} %")
    is_failed = trial["state"] == trials.FAILED
    tqdm.tqdm.write(trials.line(trial), file=sys.stderr if is_failed else sys.stdout)
    sys.stdout.flush()


@dataclasses.dataclass(frozen=True)
class TuningWork:
    """What runs the trials of a search; a `leo_tf.studies.jobs.Work`.

    What a trial finds is left in a file, for who has given it out: only that one knows the study.

    Args:
      tuning, search: what is searched.
      source: of the user's own file that the method is in, if it is in one.
    """

    tuning: Tuning
    search: Search
    source: bytes | None = None

    @classmethod
    def of(cls, tuning: Tuning, search: Search) -> "TuningWork":
        """Return the work of a search, of which no password of a database is told."""
        source = own.read(tuning.method) if own.is_own(tuning.method) else None
        return cls(tuning, dataclasses.replace(search, storage=None), source)

    def __call__(self, given: Given, alone: bool) -> None:
        """Run a trial, whatever it prints going to a file of its own."""
        if self.source is not None:
            own.hold(self.tuning.method, self.source)
        try:
            strategy.chosen(self.tuning.config({}).experiment.devices)
            splits = inputs.load(self.tuning.config({}), self.tuning.data_path)
        except (ValueError, FileNotFoundError) as error:
            raise UnfitError(str(error)) from None
        path, folder = self.search.found(given.number), self.search.running(given.number)
        if path.is_file() and self._is_of(given, read_json(path, "remove it")):
            return

        def objective(number: int, settings: Mapping[str, Any], report: Report) -> dict[str, Any]:
            return judge(self.tuning.config(settings), folder, splits, report)

        with written_to(self.search.log(given.number)):
            entry = judged(given, objective)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"search": self.search.terms, **entry})

    def _is_of(self, given, found):
        """Return whether a trial was judged just before a command was killed."""
        asked = self.search.terms, given.settings
        return (found.get("search"), found.get("settings")) == asked

    def found(self, given: Given) -> dict[str, Any]:
        """Return what a trial has found, its entry in the record."""
        entry = read_json(self.search.found(given.number), "give the same command again")
        return {name: value for name, value in entry.items() if name != "search"}

    def clear(self, given: Given) -> None:
        """Remove what is kept of a trial until the study knows it."""
        self.search.found(given.number).unlink(missing_ok=True)
        shutil.rmtree(self.search.running(given.number), ignore_errors=True)

    @property
    def root(self) -> Path:
        """The folder of the search."""
        return self.search.folder.absolute()

    @property
    def data_path(self) -> Path:
        """The folder of data sets."""
        return paths.expand(self.tuning.data_path).absolute()

    def reads(self, given: Given) -> list[str]:
        """Name nothing: all that a trial needs is in it."""
        return []

    def writes(self, given: Given) -> list[str]:
        """Name what a trial prints, trains and finds."""
        search, number = self.search, given.number
        written = search.log(number), search.running(number), search.found(number)
        return [path.relative_to(search.folder).as_posix() for path in written]

    def data(self) -> dict[str, Path]:
        """Return the files of the data set, by their paths below a folder of data sets."""
        return inputs.files(self.tuning.config({}).experiment, self.data_path)

    def moved(self, root: Path, data_path: Path) -> "TuningWork":
        """Return the same work on files in another place."""
        return dataclasses.replace(
            self,
            tuning=dataclasses.replace(self.tuning, data_path=str(data_path)),
            search=dataclasses.replace(self.search, folder=root),
        )
