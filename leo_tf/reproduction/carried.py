"""All the work of a reproduction, with a bar over it and the time that is left."""

import itertools
import sys
from collections.abc import Sequence

import tqdm

from data_pipeline import console
from data_pipeline.command_line import error_line
from leo_tf.performance import machine
from leo_tf.reproduction import costs, searching, times
from leo_tf.reproduction.costs import Cost, Measured, Record, Sizes
from leo_tf.reproduction.foresight import Foresight, Of, in_order
from leo_tf.reproduction.plan import MEASUREMENT, RUN, Job, Plan
from leo_tf.reproduction.recipes import FOLDER
from leo_tf.reproduction.said import duration
from leo_tf.reproduction.work import ReproductionWork
from leo_tf.studies.jobs import Machines, do_all

LEO = "leo"  # the recipe that is measured
RECORD = FOLDER / "costs.json"
SIDE_BY_SIDE = 4  # measurements of one thing, at most


def phases(plan: Plan) -> list[list[Job]]:
    """List what is left to do, in its order: searches, runs, figures."""
    every = plan.searches(), plan.runs(), plan.figures()
    return [[job for job in jobs if not plan.is_done(job)] for jobs in every]


def foresee(plan: Plan, machines: Machines, every_row: bool = False) -> Foresight:
    """Measure what is needed to tell how long a plan will take.

    Args:
      plan: what is to be done.
      machines: where; what is measured shares them as its jobs will.
      every_row: whether each row is measured, not LEO alone.

    Raises:
      ValueError, FileNotFoundError: one line, if it cannot be measured.
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C.
    """
    record = costs.read(RECORD)
    left = [job for jobs in phases(plan) for job in jobs if job.dataset in plan.datasets]
    of = sorted({(job.dataset, job.shot) for job in left})
    rows = {LEO: None, **({job.name: None for job in plan.runs()} if every_row else {})}
    copies = 1 if every_row else min(machines.size, SIDE_BY_SIDE)
    jobs = [
        Job(MEASUREMENT, row, *each, copy)
        for each in of
        for row in rows
        for copy in range(copies)
        if plan.recipes[row].is_row and plan.recipes[row].fits(each[0])
    ]
    _measure(plan, jobs, machines)
    here: dict[Of, dict[str, Cost]] = {each: {} for each in of}
    for job in jobs[::copies]:
        found = [times.measured(plan, job._replace(seed=copy)) for copy in range(copies)]
        here[job.dataset, job.shot][job.name] = costs.mean(found)
    sizes = {each: times.sizes(plan, Job(RUN, LEO, *each)) for each in of}
    return Foresight(plan, record, here, sizes)


def _measure(plan, jobs, machines):
    """Make measurements; a fault of one is that of all."""
    faults: list[str] = []
    with _bar(len(jobs), "measuring") as bar:

        def told(job: Job, fault: str | None) -> None:
            bar.update()
            if fault is not None:
                faults.append(f"{job}: {fault}")

        do_all(ReproductionWork(plan), jobs, machines, told)
    if faults:
        raise ValueError(faults[0])


class _Progress:
    """A bar over the pieces of work that are left, and the time that they take."""

    def __init__(self, foresight: Foresight, left: Sequence[Job], workers: int) -> None:
        pieces = {job: foresight.pieces(job) for job in left}
        self.foresight, self.workers = foresight, workers
        self.waiting = {job: sum(each) for job, each in pieces.items()}
        self.failed: dict[Job, str] = {}
        self.bar = _bar(sum(map(len, pieces.values())), "reproducing")

    def tell(self, job: Job, piece: float, taken: float | None, fault: str | None) -> None:
        """Tell of a piece of a job: what it was expected to take, took, and what was wrong."""
        self.waiting[job] = max(0.0, self.waiting[job] - piece)
        if taken is not None:
            self.foresight.learn(piece, taken)
        left = duration(self.foresight.factor * sum(self.waiting.values()) / self.workers)
        self.bar.update()
        self.bar.set_postfix_str(f"{left} left; {job}")
        if self.bar.disable:
            ended = f"done in {duration(taken)}" if taken is not None else "done"
            print(f"{job}: {fault or ended}; {left} left", flush=True)
        if fault is not None:
            self.failed[job] = fault
            tqdm.tqdm.write(error_line(f"{job}: {fault}"), file=sys.stderr)


def carry_out(plan: Plan, foresight: Foresight, machines: Machines) -> dict[Job, str]:
    """Do what is left of a plan, the longest first; a job that fails leaves the others.

    Returns:
      {job: what was wrong with it}, also told on stderr at once.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C, after everything was saved.
    """
    searches, *rest = phases(plan)
    progress = _Progress(foresight, [*searches, *itertools.chain(*rest)], machines.size)

    def told(job: Job, fault: str | None) -> None:
        expected = foresight.seconds(job)
        progress.tell(job, expected, foresight.took(job) if fault is None else None, fault)

    with progress.bar:
        of_trials = {job: foresight.seconds(job) / plan.trials for job in searches}
        if of_trials:
            searching.carry_out(
                plan,
                of_trials,
                machines,
                lambda job, taken, fault: progress.tell(job, of_trials[job], taken, fault),
            )
        for jobs in rest:
            do_all(ReproductionWork(plan), in_order(jobs, foresight), machines, told)
    return progress.failed


def _bar(total, what):
    quiet = not console.shows_progress()
    return tqdm.tqdm(total=total, desc=what, unit="job", dynamic_ncols=True, disable=quiet)


def recorded(plan: Plan, foresight: Foresight, machines: Machines) -> Record:
    """Return what was measured here as a record: with the times of figures that were drawn here.

    What was not drawn here is as in the record before.
    """
    before = {(each.dataset, each.sizes): each.figures for each in foresight.record.measured}

    def drawn(of: Of, sizes: Sizes) -> dict[str, float]:
        figures = [job for job in plan.figures() if of == (job.dataset, job.shot)]
        found = {job.name: times.took(plan, job, times.counts(plan, job)) for job in figures}
        here = {name: seconds for name, seconds in found.items() if seconds is not None}
        return {**before.get((of[0], sizes), {}), **here}

    measured = [
        Measured(of[0], sizes, foresight.here[of], drawn(of, sizes))
        for of, sizes in foresight.sizes.items()
    ]
    about = {**machine.describe(), "side_by_side": machines.size}
    return Record(about, measured, foresight.record.functions)


def failures(failed: dict[Job, str]) -> Sequence[str]:
    """Name what failed, a line each, for the end."""
    return [error_line(f"{job}: {fault}") for job, fault in failed.items()]
