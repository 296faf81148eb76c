"""Searches whose trials need no training: an accuracy is a formula of the settings."""

import math
import os
import signal
import sys
from pathlib import Path

from leo_tf.config import make_config
from leo_tf.studies.given import Pruned
from leo_tf.studies.ledger import taken_over
from leo_tf.studies.ranges import Range
from leo_tf.studies.search import Search
from leo_tf.studies.tuning import Tuning

RANGES = {
    "outer_lr": Range(float, (1e-5, 1e-2, "log"), 1e-4),
    "units": Range(int, (16, 512, "log"), 64),
    "layers": Range(int, [0, 1, 2], 0),
    "dropout": Range(float, (0.0, 0.7), 0.5),
    "normalise": Range(bool, [False, True], True),
}
DIES = "dies"  # a process that does it in a trial
WAITS = "waits"
OWN = """
import dataclasses
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.settings import setting

@dataclasses.dataclass(frozen=True)
class Settings(MetaLearner):
    scale: float = setting(10.0, "a factor", search=(1.0, 100.0, "log"))

def build(settings, train):
    pass
"""


def tuning(data_path="embeddings", method="leo", preset=None, **asked):
    """Return what a command searches on the tiny data."""
    given = {"dataset": "tiny", "way": 3, "shot": 2, "steps": 20, "queries": 5, **asked}
    config = make_config("classification", method, preset, **given)
    return Tuning.of(config, method, given, str(data_path))


def search(folder, count, **changes):
    given = {"ranges": RANGES, "about": {"dataset": "mine", "shot": 1}, "seed": 7, **changes}
    return Search(Path(folder), "toy", count=count, **given)


def accuracy(settings):
    """Return a figure with one maximum, 80 % at an outer_lr of 0.001 and a dropout of 0.4."""
    away = 5 * (math.log10(settings["outer_lr"]) + 3) ** 2
    return 80 - away - 10 * abs(settings["dropout"] - 0.4)


def judge(number, settings, report):
    """Train a model of two validations."""
    for step, share in ((10, 0.7), (20, 0.9)):
        if report(step, share * accuracy(settings)):
            raise Pruned
    return {"val_accuracy": accuracy(settings)}


def go_on(ledger, objective=judge):
    """Run what is left of a search; returns its record."""
    while ledger.left:
        ledger.run(objective)
    return ledger.write()


def without_times(record):
    return [{n: v for n, v in each.items() if n != "seconds"} for each in record["trials"]]


def main(folder, count, sampler, at, does, storage):
    """Run a search in a process that ends, or stands still, after the first validation of one."""

    def objective(number, settings, report):
        if number == int(at):
            report(10, 0.7 * accuracy(settings))
            if does == DIES:
                os.kill(os.getpid(), signal.SIGKILL)
            Path(folder, WAITS).touch()
            signal.pause()
        return judge(number, settings, report)

    asked = search(folder, int(count), sampler=sampler, storage=storage or None)
    go_on(taken_over(asked), objective)


if __name__ == "__main__":
    main(*sys.argv[1:])
