"""What the parts of a run cost, measured, and what a run will take by that; no TensorFlow."""

import heapq
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import atomic
from leo_tf.config import Config
from leo_tf.config.experiments import PUBLISHED, Regression
from leo_tf.config.methods import DEFAULT
from leo_tf.training.run_folder import read_json


class Cost(NamedTuple):
    """What a row costs, in seconds."""

    start: float = 0.0  # until the first steps of a training, which are compiled
    again: float = 0.0  # the same in a process that has compiled them
    step: float = 0.0
    base: float = 0.0  # what is fitted to the base classes before
    validation_start: float = 0.0  # of a training's first validation, beside its episodes
    validated: float = 0.0  # an episode of a validation
    test_start: float = 0.0  # export, and of the test what is beside its episodes
    tested: float = 0.0  # an episode of the test, that of the baseline, too

    def scaled(self, here: "Cost", there: "Cost") -> "Cost":
        """Return the cost on another machine or of other sizes: as it is LEO's, part by part.

        Args:
          here: LEO's cost there.
          there: LEO's cost where this was measured.
        """
        # Not by `start`: whether that compiles depends on what an earlier process has kept.
        rest = _ratio(here.again, there.again, 1.0)
        of_work = {
            name: getattr(self, name) * _ratio(getattr(here, name), getattr(there, name), rest)
            for name in ("step", "validated", "tested")
        }
        scaled = {name: rest * value for name, value in self._asdict().items()}
        return Cost(**{**scaled, **of_work})


def mean(found: Sequence[Cost]) -> Cost:
    """Return the mean of costs, part by part."""
    return Cost(*(sum(parts) / len(found) for parts in zip(*found, strict=True)))


def _ratio(here, there, otherwise):
    return here / there if here > 0 and there > 0 else otherwise


class Sizes(NamedTuple):
    """What costs depend on."""

    shot: int
    dim: int  # of an embedding
    images: int  # of a class in the test
    base: int  # images to train on, times their classes

    def distance(self, other: "Sizes") -> float:
        """How unlike another's they are: differences of logarithms, the base left out."""
        pairs = zip(self[:3], other[:3], strict=True)
        return sum(abs(math.log(a / b)) for a, b in pairs)


class Measured(NamedTuple):
    """Costs of rows, measured on one machine at one size."""

    dataset: str
    sizes: Sizes
    rows: Mapping[str, Cost]  # by recipe
    figures: Mapping[str, float] = {}  # seconds, by number


class Record(NamedTuple):
    """Costs of rows at several sizes, measured on one machine."""

    about: Mapping[str, Any]  # where and how it was measured
    measured: Sequence[Measured]
    functions: Cost = Cost()  # of figure 2's run: a step is LEO's, with its share of the others'

    def nearest(self, sizes: Sizes) -> Measured:
        """Return what was measured at the sizes that are most like some."""
        return min(self.measured, key=lambda each: each.sizes.distance(sizes))

    def cost(self, row: str, sizes: Sizes, leo: Cost) -> Cost:
        """Return what a row costs here.

        Args:
          row: name of its recipe; one that the record lacks costs as LEO does.
          sizes: of the data.
          leo: what LEO costs here, at these sizes.
        """
        near = self.nearest(sizes)
        found = near.rows.get(row, near.rows[DEFAULT])
        found = found._replace(base=found.base * sizes.base / near.sizes.base)
        return found.scaled(leo, near.rows[DEFAULT])

    def figure(self, number: str, sizes: Sizes, leo: Cost) -> float:
        """Return the seconds that a figure takes here; those of figure 2 depend on no sizes."""
        near = self.nearest(sizes)
        of = next((each for each in (near, *self.measured) if number in each.figures), None)
        if of is None:
            return 0.0
        return of.figures[number] * _ratio(leo.again, of.rows[DEFAULT].again, 1.0)


class Counts(NamedTuple):
    """How often a run, or a search, does what."""

    trainings: int
    steps: int
    validations: int
    episodes: int  # of a validation
    tested: int

    def seconds(self, cost: Cost, compiled: bool = False) -> float:
        """Return the seconds that it takes, with what it compiles or without."""
        first = cost.again if compiled else cost.start
        return (
            first
            + max(0, self.trainings - 1) * cost.again
            + self.trainings * (cost.base + cost.validation_start)
            + self.steps * cost.step
            + self.validations * self.episodes * cost.validated
            + (cost.test_start if self.tested else 0.0)
            + self.tested * cost.tested
        )


def counts_of_run(config: Config) -> Counts:
    """Count what a run does; its second stage has as many steps as the first, which is the most."""
    experiment = config.experiment
    if experiment.kind == Regression.kind:
        return Counts(1, experiment.steps, 0, 0, experiment.test_episodes)
    stages = 2 if experiment.protocol == PUBLISHED else 1
    steps, validations = _training(config)
    first = 1 if experiment.protocol == PUBLISHED else 0  # of step 0
    return Counts(
        stages,
        stages * steps,
        stages * validations + first,
        experiment.validation_episodes,
        experiment.test_episodes,
    )


def counts_of_search(config: Config, trials: int) -> Counts:
    """Count what trials do, if none is ended early."""
    steps, validations = _training(config)
    return Counts(
        trials, trials * steps, trials * validations, config.experiment.validation_episodes, 0
    )


def _training(config):
    """Return the steps and the validations of a training."""
    experiment = config.experiment
    steps = experiment.steps if config.settings.trained else 0
    return steps, max(1, math.ceil(steps / experiment.validate_every))


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return how long jobs take that workers do, each taking the next one when it has done one."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def read(path: Path) -> Record:
    """Read a record.

    Raises:
      FileNotFoundError, ValueError: one line, if there is none, or it is damaged.
    """
    remedy = "put back the one that comes with the code"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not found; {remedy}")
    kept = read_json(path, remedy)
    try:
        return Record(
            dict(kept["about"]),
            [_measured(each) for each in kept["measured"]],
            Cost(**kept["functions"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: is no record of costs ({error!r}); {remedy}") from None


def _measured(kept):
    rows = {name: Cost(**cost) for name, cost in kept["rows"].items()}
    numbers = [each for cost in rows.values() for each in cost]
    if DEFAULT not in rows or not all(math.isfinite(each) and each >= 0 for each in numbers):
        raise ValueError(f"rows of {kept['dataset']}")
    figures = {str(number): float(each) for number, each in kept.get("figures", {}).items()}
    return Measured(str(kept["dataset"]), Sizes(**kept["sizes"]), rows, figures)


def write(record: Record, path: Path) -> None:
    """Write a record, a row a line."""
    measured = ",\n".join(_lines(each) for each in record.measured)
    shared = {"about": record.about, "functions": _short(record.functions)}
    head = json.dumps(shared, allow_nan=False)[1:-1]
    atomic.write_text(path, f'{{{head}, "measured": [\n{measured}\n]}}\n')


def _lines(measured):
    about = {"dataset": measured.dataset, "sizes": measured.sizes._asdict()}
    about["figures"] = {number: round(each, 1) for number, each in measured.figures.items()}
    head = json.dumps(about, allow_nan=False)[1:-1]
    rows = ",\n".join(
        f"{json.dumps(name, allow_nan=False)}: {json.dumps(_short(cost), allow_nan=False)}"
        for name, cost in measured.rows.items()
    )
    return f'{{{head}, "rows": {{\n{rows}\n}}}}'


def _short(cost):
    return {name: float(f"{value:.4g}") for name, value in cost._asdict().items()}
