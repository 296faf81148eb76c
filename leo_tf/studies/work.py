"""The work of a study, a job at a time: the trials of a method, or one run of it."""

import dataclasses
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from data_pipeline import datasets, paths
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler
from leo_tf.classification import experiment, inputs
from leo_tf.classification.export import load
from leo_tf.meta.classifier import Classifier
from leo_tf.studies import trials
from leo_tf.studies.given import Report
from leo_tf.studies.ledger import taken_over
from leo_tf.studies.log import written_to
from leo_tf.studies.plan import COST, PRESET, Study
from leo_tf.studies.search import JOURNAL, RUNNING
from leo_tf.studies.trial import judge
from leo_tf.training.run_folder import write_json

LOG = "log.txt"  # beside the results of a job: what it printed
TASKS = 100  # adapted together when that is timed


class Job(NamedTuple):
    """One piece of work; without a shot and a seed, the trials of a row."""

    row: str
    shot: int | None = None
    seed: int | None = None
    centre: bool = False

    def __str__(self) -> str:
        what = "trials" if self.shot is None else f"{self.shot} shot, seed {self.seed}"
        what += ", centred" if self.centre else ""
        return f"{self.row}, {what}"


def missing_trials(study: Study) -> list[Job]:
    """List the rows whose trials are not all done."""
    return [Job(row) for row in study.rows if study.untried(row)]


def missing_runs(study: Study) -> list[Job]:
    """List the runs that are not finished; those with --centre come last."""
    wanted = [(seed, False) for seed in study.seeds]
    wanted += [(study.seeds[0], True)] if study.centre else []
    return [
        Job(row, shot, seed, centre)
        for seed, centre in wanted
        for shot in study.shots
        for row in study.rows
        if study.run(row, shot, seed, centre).finished() is None
    ]


@dataclasses.dataclass(frozen=True)
class StudyWork:
    """What does the jobs of a study; a `leo_tf.studies.jobs.Work`."""

    study: Study

    def __call__(self, job: Job, alone: bool) -> None:
        """Do a job; see `do`."""
        do(self.study, job, alone)

    @property
    def root(self) -> Path:
        """The folder of studies."""
        return paths.expand(self.study.root).absolute()

    @property
    def data_path(self) -> Path:
        """The folder of data sets."""
        return paths.expand(self.study.data_path or datasets.DATA_PATH).absolute()

    def reads(self, job: Job) -> list[str]:
        """Name the record of the trials that a run takes its settings from."""
        if job.shot is None or job.row.endswith(PRESET):
            return []
        return self._names(self.study.trials(job.row))

    def writes(self, job: Job) -> list[str]:
        """Name the folder of a run, or what trials write."""
        if job.shot is None:
            record = self.study.trials(job.row)
            beside = (record.parent / name for name in (LOG, RUNNING, JOURNAL))
            return self._names(*beside, record)
        return self._names(self.study.run(*job).path)

    def _names(self, *files):
        return [path.absolute().relative_to(self.root).as_posix() for path in files]

    def data(self) -> dict[str, Path]:
        """Return the files of the data set, by their paths below a folder of data sets."""
        where = self.data_path, self.study.dataset, self.study.crop
        return datasets.files_of(*where, datasets.splits_there(*where))

    def moved(self, root: Path, data_path: Path) -> "StudyWork":
        """Return the same work on files in another place."""
        return StudyWork(dataclasses.replace(self.study, root=root, data_path=data_path))


def do(study: Study, job: Job, alone: bool) -> None:
    """Do a job, whatever it prints going to a file beside its results.

    Args:
      study, job: what to do.
      alone: whether nothing else runs meanwhile, so that times are meant.
    """
    where = study.trials(job.row).parent if job.shot is None else study.run(*job).path
    with written_to(where / LOG):
        try:
            if job.shot is None:
                _try_settings(study, job.row)
            else:
                _run(study, job, alone)
        finally:
            keras.backend.clear_session()


def _try_settings(study, row):
    """Run the trials that a row lacks; its record is written after each."""
    splits = inputs.load(study.trial_config(row, {}), study.data_path)
    search = study.search(row, splits)

    def objective(number: int, settings: Mapping[str, Any], report: Report) -> dict[str, Any]:
        return judge(study.trial_config(row, settings), search.running(number), splits, report)

    ledger = taken_over(search)
    while ledger.left:
        ledger.run(objective)
        ledger.write()


def _run(study, job, alone):
    preset = job.row.endswith(PRESET)
    settings = {} if preset else trials.best(trials.read(study.trials(job.row), job.row))
    config = study.run_config(*job, settings)
    folder = study.run(*job)
    splits = inputs.load(config, study.data_path)
    result = experiment.train_and_test(config, folder, splits)
    rate = result["train_steps_per_second"]
    cost = {
        "parameters": experiment.make(config, splits.train).parameters,
        "train_seconds": result["steps"] / rate if rate else 0.0,
        "adapt_microseconds": adapt_microseconds(
            load(folder.saved_model), splits.test, study.way, job.shot
        ),
        "alone": alone,
    }
    write_json(folder.path / COST, cost)


def adapt_microseconds(
    classifier: Classifier, embeddings: EmbeddingSet, way: int, shot: int
) -> float:
    """Time adaptation to support sets, of many tasks together: microseconds a task, median of 7."""
    support = EpisodeSampler(embeddings, way, shot, 1, TASKS).episodes([0, 0]).support
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        for tensor in tf.nest.flatten(classifier.fit(support)):
            tensor.numpy()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / TASKS * 1e6
