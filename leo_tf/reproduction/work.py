"""The work of a reproduction, a job at a time."""

import dataclasses
import functools
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from leo_tf.classification import experiment, inputs
from leo_tf.classification.export import load
from leo_tf.reports import drawn
from leo_tf.reports.asked import FIGURES, SEED, Asked, find_runs
from leo_tf.reports.asked import load as load_asked
from leo_tf.reproduction import measuring, times
from leo_tf.reproduction.plan import (
    COMMITTED,
    FIGURE,
    FUNCTIONS,
    MEASUREMENT,
    RUN,
    Job,
    Plan,
)
from leo_tf.reproduction.recipes import FOLDER
from leo_tf.studies import protocol
from leo_tf.studies.log import written_to
from leo_tf.studies.plan import COST
from leo_tf.studies.work import adapt_microseconds
from leo_tf.training.run_folder import ELSEWHERE, RunFolder, write_json

SECONDS = 2.0  # of each measurement
MOST = 64  # classes of a split that stands for one that is not there


@dataclasses.dataclass(frozen=True)
class ReproductionWork:
    """What does the jobs of a plan; a `leo_tf.studies.jobs.Work`."""

    plan: Plan

    def __call__(self, job: Job, alone: bool) -> None:
        """Do a job; see `do`."""
        do(self.plan, job, alone)

    @property
    def root(self) -> Path:
        """The folder of the reproduction."""
        return self.plan.out.absolute()

    @property
    def data_path(self) -> Path:
        """The folder of the data sets."""
        return self.plan.data_path.absolute()

    def reads(self, job: Job) -> list[str]:
        """Name the search that a run takes its settings from, or the runs that a figure shows."""
        if job.kind == FIGURE:
            return self._names(*(self.plan.folder(run) for run in self.plan.shown(job).values()))
        return self._names(self.plan.record(job)) if job.kind == RUN and self.plan.trials else []

    def writes(self, job: Job) -> list[str]:
        """Name the folder of a run, or the files of a figure, and the time that it took."""
        beside = self.plan.times(job), self.plan.log(job)
        if job.kind == RUN or _is_committed(self.plan, job):
            run = job if job.kind == RUN else next(iter(self.plan.shown(job).values()))
            return self._names(self.plan.folder(run), *beside)
        if job.kind == MEASUREMENT:
            return self._names(*beside)
        png = self.plan.picture(job)
        return self._names(*(png.with_suffix(each) for each in (".png", ".csv", ".txt")), *beside)

    def _names(self, *files):
        inside = dict.fromkeys(Path(path).absolute().relative_to(self.root) for path in files)
        return [path.as_posix() for path in inside]

    def data(self) -> dict[str, Path]:
        """Return the files of the data sets, by their paths below a folder of data sets."""
        return self.plan.files()

    def moved(self, root: Path, data_path: Path) -> "ReproductionWork":
        """Return the same work on files in another place."""
        return ReproductionWork(dataclasses.replace(self.plan, out=root, data_path=data_path))


def do(plan: Plan, job: Job, alone: bool) -> None:
    """Do a job, whatever it prints going to a file; how long it took is kept.

    Args:
      plan, job: what to do.
      alone: whether nothing else runs meanwhile.

    Raises:
      ValueError, FileNotFoundError: one line, why it cannot be done.
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C, after everything was saved.
    """
    whole, began = not (job.kind == RUN and plan.is_begun(job)), time.perf_counter()
    how = {RUN: _run, FIGURE: _figure, MEASUREMENT: _measure}[job.kind]
    with written_to(plan.log(job)):
        try:
            found = how(plan, job, alone) or {}
        except (MemoryError, tf.errors.OpError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"failed ({said}); see {plan.log(job)}") from None
        except ValueError as error:
            raise ValueError(str(error).replace(ELSEWHERE, "choose another --out")) from None
        finally:
            keras.backend.clear_session()
    seconds = time.perf_counter() - began
    told = {"seconds": seconds, "whole": whole, "alone": alone, "counts": times.counts(plan, job)}
    times.write(plan, job, {**told, **found})


def _run(plan, job, alone):
    """Do a run, as `leo_tf.run` does, and tell what it costs."""
    config, folder = plan.config(job), plan.folder(job)
    stages = protocol.load(config, folder, plan.data_path)
    result = protocol.train_and_test(stages)
    print(protocol.report(stages[0], result), flush=True)
    if job.name == FUNCTIONS:
        return
    splits, rate = stages[0].splits, result["train_steps_per_second"]
    classifier = load(folder.saved_model)
    sizes = config.experiment.way, config.experiment.shot
    cost = {
        "parameters": experiment.make(config, splits.train).parameters,
        "train_seconds": result["steps_taken"] / rate if rate else 0.0,
        "adapt_microseconds": adapt_microseconds(classifier, splits.test, *sizes),
        "alone": alone,
    }
    write_json(folder.path / COST, cost)


def _figure(plan, job, alone):
    """Draw a figure."""
    if _is_committed(plan, job):
        _put_committed(plan.out / COMMITTED)
    figure = FIGURES[job.name]
    folders = {role: str(plan.folder(run)) for role, run in plan.shown(job).items()}
    runs = find_runs(figure, folders)
    asked = Asked(figure, runs, plan.picture(job), SEED, plan.episodes, plan.data_path)
    print("\n".join(drawn.draw(load_asked(asked))))


def _is_committed(plan, job):
    """Whether a figure is that of the run that comes with the code."""
    return job.kind == FIGURE and FIGURES[job.name].split is None and not plan.trains


def _put_committed(place):
    """Copy the run that comes with the code, and export its model."""
    from leo_tf.regression.experiment import export_best

    shutil.copytree(FOLDER / COMMITTED, place, dirs_exist_ok=True)
    folder = RunFolder(place)
    config, _ = folder.read()
    export_best(config, folder)


def _measure(plan, job, alone):
    """Measure what a row costs, without the data on embeddings of their sizes."""
    config = plan.plain(job)
    splits = _like(job.dataset) if plan.is_absent(job.dataset) else None
    splits = splits or inputs.load(config, plan.data_path)
    folder = RunFolder(plan.times(job).with_suffix(".model"))
    try:
        cost = measuring.measure(config, splits, folder, SECONDS)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
    return {"cost": cost._asdict()}


@functools.lru_cache(maxsize=1)
def _like(dataset: str) -> Any:
    return measuring.like(dataset, MOST)
