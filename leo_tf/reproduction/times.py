"""How long jobs took, and what was measured for that, kept in files; no TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_pipeline.synthetic import RELEASED_DIM, RELEASED_SIZES
from leo_tf.classification import inputs
from leo_tf.reproduction.costs import Cost, Sizes, counts_of_run, counts_of_search
from leo_tf.reproduction.plan import FIGURE, REMEDY, RUN, SEARCH, Job, Plan
from leo_tf.training.run_folder import read_json, write_json


def counts(plan: Plan, job: Job) -> tuple[int, ...]:
    """Return what a job does, as far as its time depends on it."""
    if job.kind == RUN:
        return counts_of_run(plan.outline(job))
    if job.kind == SEARCH:
        return counts_of_search(plan.plain(job), plan.trials)
    return (plan.episodes,) if job.kind == FIGURE else ()


def write(plan: Plan, job: Job, told: Mapping[str, Any]) -> None:
    """Keep how long a job took.

    Args:
      plan, job: which.
      told: seconds; whole: whether it was not begun before; counts: what it did; and more.
    """
    path = plan.times(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, told)


def took(plan: Plan, job: Job, counts: Sequence[int]) -> float | None:
    """Return the seconds that a job took as a whole; None if unknown, or it did something else.

    Args:
      plan, job: which.
      counts: what it does now, as it was told then.
    """
    path = plan.times(job)
    if not path.is_file():
        return None
    told = read_json(path, REMEDY)
    seconds, same = told.get("seconds"), told.get("counts") == [*counts]
    return seconds if told.get("whole") and same and isinstance(seconds, int | float) else None


def measured(plan: Plan, job: Job) -> Cost:
    """Return what a measurement found.

    Raises:
      ValueError: one line, if its file is damaged.
    """
    path = plan.times(job)
    try:
        return Cost(**read_json(path, REMEDY)["cost"])
    except (KeyError, TypeError):
        raise ValueError(f"{path}: tells no costs; {REMEDY}") from None


def sizes(plan: Plan, run: Job) -> Sizes:
    """Return the sizes that the times of a run depend on, read off the data or known.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    if plan.is_absent(run.dataset):
        of_data = RELEASED_SIZES[run.dataset]
        train, test = of_data["train"], of_data["test"]
        return Sizes(
            run.shot, RELEASED_DIM, test.images // test.classes, train.images * train.classes
        )
    splits = inputs.load(plan.plain(run), plan.data_path)
    images, base = len(splits.test) // splits.test.num_classes, splits.train
    return Sizes(run.shot, base.dim, images, len(base) * base.num_classes)
