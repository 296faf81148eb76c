"""What the flags of `leo_tf.reproduce` ask for; no TensorFlow."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

import psutil
from absl import flags

from data_pipeline import paths
from data_pipeline.datasets import check_names
from leo_tf.config import flags as settings
from leo_tf.config.experiments import Regression
from leo_tf.reproduction import recipes
from leo_tf.reproduction.plan import WHAT, Plan
from leo_tf.reproduction.recipes import CENTER
from leo_tf.studies import jobs

# Settings of every run that have a flag.
OF_RUNS = ("steps", "validate_every", "validation_episodes", "test_episodes", "way", "queries")
MEMORY = 1.5e9  # bytes that a process takes, about


def plan(values: flags.FlagValues) -> Plan:
    """Return the plan that the flags ask for, whose data are there, or of known sizes.

    Raises:
      ValueError, FileNotFoundError: one line, if it makes no sense, or the data are not there.
      flags.Error: one line, if a recipe cannot be read.
    """
    settings.configuration(values, OF_RUNS)  # checked before any recipe is asked
    made = Plan(
        what=chosen(values.what.split(",")),
        datasets=chosen_datasets(values.dataset.split(",")),
        shots=tuple(values.shot),
        seeds=tuple(values.seeds),
        recipes=recipes.read_all(),
        settings={n: values[n].value for n in OF_RUNS if values[n].value is not None},
        trials=values.trials,
        out=Path(values.out),
        data_path=paths.expand(values.data_path),
        episodes=values.episodes,
        trains=values.train_figure_2,
    )
    for dataset in made.datasets:
        if not (values.plan and made.is_absent(dataset)):
            made.check_data(dataset)
    for run in made.runs():
        made.outline(run)
    return made


def machines(values: flags.FlagValues) -> jobs.Machines:
    """Return where jobs run: by default in as many processes as there are cores and memory for.

    A run of such sizes keeps one core busy, and a second one for a part of the time.
    """
    if values.cluster is None and values.jobs is None:
        memory = int(psutil.virtual_memory().available / MEMORY)
        values["jobs"].value = max(1, min(os.cpu_count() or 1, memory))
    return jobs.machines(values)


def chosen(asked: Sequence[str]) -> tuple[str, ...]:
    """Return what is asked for by name, "all" standing for everything.

    Raises:
      ValueError: one line, if there is no such thing in the paper.
    """
    for name in asked:
        if name not in (*WHAT, "all"):
            near = difflib.get_close_matches(name, WHAT, 1)
            raise ValueError(
                f"what must be of {', '.join(WHAT)}, or all, not {name!r}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
    return WHAT if "all" in asked else tuple(dict.fromkeys(asked))


def chosen_datasets(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the data sets that are asked for by name.

    Raises:
      ValueError: one line, if one cannot be a data set of classes.
    """
    for name in asked:
        if name == Regression.dataset:
            raise ValueError(f"dataset {name} is of functions; figure 2 shows it, --what=figure2")
        check_names(name, CENTER)
    return tuple(dict.fromkeys(asked))
