"""The work of `leo_tf.tune`: trials, one after another or side by side, with a bar over them."""

import functools
import sys
from collections.abc import Mapping
from typing import Any

import tqdm
from optuna.exceptions import StorageInternalError

from data_pipeline import console
from leo_tf.classification import inputs
from leo_tf.studies import trials
from leo_tf.studies.ledger import Ledger, Report
from leo_tf.studies.log import written_to
from leo_tf.studies.owners import Job, Process
from leo_tf.studies.search import Search
from leo_tf.studies.trial import judge
from leo_tf.studies.tuning import Tuning
from leo_tf.studies.workers import do_all
from leo_tf.training import strategy


def carry_out(tuning: Tuning, ledger: Ledger, workers: int) -> None:
    """Run the trials that are left of a search; its record is written after each.

    Args:
      tuning: what is searched.
      ledger: of the search, taken over.
      workers: trials side by side.

    Raises:
      ValueError: one line, if they cannot be run, as on more devices than there are.
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C; trials that ran are queued again.
    """
    strategy.chosen(tuning.config({}).experiment.devices)
    known = {each["trial"] for each in ledger.write()["trials"]}
    jobs = [Job(Process.here(), slot) for slot in range(ledger.left)]
    faults: list[str] = []
    with tqdm.tqdm(
        total=len(known) + len(jobs),
        initial=len(known),
        desc="trials",
        unit="trial",
        disable=not console.shows_progress(),
    ) as bar:

        def told(job: Job, fault: str | None) -> None:
            if fault is not None:
                faults.append(fault)
            record = ledger.write()
            for each in record["trials"]:
                if each["trial"] not in known:
                    known.add(each["trial"])
                    _tell(bar, each, record)

        try:
            do_all(functools.partial(do, tuning, ledger.search), jobs, workers, told)
        finally:
            ledger.write()
    if faults:
        raise ValueError(faults[0])
    if ledger.running:
        print(f"others run {ledger.running} more trials now", file=sys.stderr)


def _tell(bar, trial, record):
    """Say what became of a trial, and advance the bar."""
    bar.update()
    if trial["state"] == trials.COMPLETE:
        bar.set_postfix_str(f"best {trials.best_trial(record)['val_accuracy']:.2f} %")
    failed = trial["state"] == trials.FAILED
    tqdm.tqdm.write(trials.line(trial), file=sys.stderr if failed else sys.stdout)
    sys.stdout.flush()


def do(tuning: Tuning, search: Search, job: Job, alone: bool) -> None:
    """Run a trial, if one is left, whatever it prints going to a file of its own.

    Args:
      tuning, search: what is searched.
      job: whose trial it is.
      alone: whether nothing else runs meanwhile; accuracies do not depend on it.
    """
    splits = inputs.load(tuning.config({}), tuning.data_path)

    def objective(number: int, settings: Mapping[str, Any], report: Report) -> dict[str, Any]:
        with written_to(search.folder / "logs" / f"trial{number}.txt"):
            return judge(tuning.config(settings), search.running(number), splits, report)

    try:
        Ledger(search).run(job, objective)
    except StorageInternalError as error:
        said = next(iter(str(error).splitlines()), "")
        raise ValueError(f"{search.storage or search.folder}: cannot be written ({said})") from None
