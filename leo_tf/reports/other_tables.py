"""Tables of what runs cost and where they come from, and of runs that are not finished."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.reports.collected import Run
from leo_tf.reports.groups import Group, Task, variants
from leo_tf.reports.tables import NONE, Column, Line, Table

SHARED = "*"  # marks times measured while other runs shared the machine
HOW_TO_READ = (
    "Medians over the seeds. Training is steps over rate, without validations; early stopping, "
    "where it found the steps of a run, is part of both. Adaptation is timed over 100 tasks "
    "together, a task's share. Times of different machines do not compare."
)
WITH_SHARED = f"{SHARED} measured while other runs shared the machine."


def cost(tasks: Mapping[Task, Sequence[Group]], dataset: str) -> Table:
    """Make the table of what the runs of a data set cost."""
    lines, shared = [], False
    for task, groups in tasks.items():
        labels = variants(groups)
        for i, group in enumerate(groups):
            alone = all(run.cost.get("alone", True) for run in group.runs)
            shared |= not alone
            cells = [
                group.title,
                _way(task),
                str(task.shot),
                *_costs(group, "" if alone else f" {SHARED}"),
            ]
            lines.append(Line([*cells, machine(group)], labels.get(i, "")))
    columns = [Column("method", "l"), Column("way"), Column("shot"), Column("steps")]
    columns += [Column("steps/s"), Column("training, s"), Column("adaptation, µs")]
    columns += [Column("parameters"), Column("machine", "l")]
    return Table(f"{dataset}: cost", columns, lines, below=WITH_SHARED if shared else "")


def sources(groups: Sequence[Group]) -> Table:
    """Make the table of where the figures of finished runs lie, and what made them."""
    columns = [Column("method", "l"), Column("data", "l"), Column("folder", "l")]
    columns += [Column("seeds", "l"), Column("version", "l"), Column("commit", "l")]
    lines = [
        Line(
            [
                group.title,
                str(group.task),
                group.place,
                group.seeds,
                _each(group, lambda told: told.get("versions", {}).get("leo_tf")),
                _each(group, _commit),
            ]
        )
        for group in groups
    ]
    return Table("Finished runs, and what made them", columns, lines)


def unfinished(runs: Sequence[Run]) -> Table:
    """Make the table of runs that are not finished, and how far they are."""
    columns = [Column("folder", "l"), Column("method", "l"), Column("data", "l")]
    columns += [Column("validated at step"), Column("of steps")]
    lines = []
    for run in runs:
        group = Group((run,))
        curve = run.curves.get("")
        at = f"{curve.steps[-1]:,}" if curve else NONE
        steps = f"{run.config.experiment.steps:,}"
        lines.append(Line([run.name, group.title, str(group.task), at, steps]))
    return Table("Runs that are not finished", columns, lines)


def machine(group: Group) -> str:
    """Name the processors that a group ran on, and the cores that it might use."""

    def name(told):
        cpu, cores = told.get("cpu"), told.get("cores")
        return cpu and (f"{cpu}, {cores} cores" if cores else str(cpu))

    return _each(group, name)


def train_seconds(run: Run) -> float | None:
    """Return how long a run trained, in seconds; None if it is not known."""
    if run.cost.get("train_seconds") is not None:
        return run.cost["train_seconds"]
    stages = [(steps, rate) for steps, rate in _stages(run) if steps]
    known = [steps / rate for steps, rate in stages if rate]
    return sum(known) if known and len(known) == len(stages) else None


def steps_per_second(run: Run) -> float | None:
    """Return at what rate a run trained; None if it is not known, or there was nothing to train."""
    return next((rate for steps, rate in reversed(_stages(run)) if steps and rate), None)


def outer_steps(run: Run) -> int:
    """Return how many steps a run took, with those of early stopping where that came before."""
    return sum(steps for steps, _ in _stages(run))


def _stages(run: Run) -> list[tuple[int, float | None]]:
    """Return the steps and the rate of each training of a run: early stopping is one."""
    told = run.told
    stopped = told.get(EARLY_STOPPING)
    if not stopped:
        return [(told["steps"], told.get("train_steps_per_second"))]
    return [(each["steps_taken"], each.get("train_steps_per_second")) for each in (stopped, told)]


def _costs(group: Group, mark: str) -> list[str]:
    """Cells: steps, steps/s, training, adaptation, parameters."""
    runs = group.runs
    steps = [outer_steps(run) for run in runs]
    rates = [steps_per_second(run) for run in runs]
    seconds = [train_seconds(run) for run in runs]
    adapt = [run.cost.get("adapt_microseconds") for run in runs]
    parameters = [run.cost.get("parameters") for run in runs]
    return [
        _median(steps, "{:,.0f}"),
        _median(rates, "{:,.1f}", mark),
        _median(seconds, "{:,.0f}", mark),
        _median(adapt, "{:,.0f}", mark),
        _median(parameters, "{:,.0f}"),
    ]


def _median(values: Sequence[float | None], how: str, mark: str = "") -> str:
    known = [value for value in values if value is not None]
    return how.format(statistics.median(known)) + mark if known else NONE


def _way(task: Task) -> str:
    return str(task.way) if task.way else NONE


def _each(group: Group, of) -> str:
    """Write what the provenance of each run says, each once."""
    found = dict.fromkeys(str(of(_provenance(run)) or "not known") for run in group.runs)
    return "; ".join(found)


def _provenance(run: Run) -> Mapping[str, Any]:
    """What a result says of where it comes from; parts of another kind are left out."""
    told = run.told.get("provenance")
    told = dict(told) if isinstance(told, Mapping) else {}
    if not isinstance(told.get("versions", {}), Mapping):
        del told["versions"]
    return told


def _commit(told):
    commit = told.get("commit")
    return commit and str(commit)[:10] + (", modified" if told.get("modified") else "")
