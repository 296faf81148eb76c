"""Tables of regression runs: squared errors, and how well the samples tell what is unknown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leo_tf.reports.groups import Group, Task, variants
from leo_tf.reports.tables import NONE, Column, Line, Notes, Section, Table
from leo_tf.studies.comparison import mean_of
from leo_tf.training.ending import remarks

MODELS = {  # in result.json: what it is
    "adapted": "LEO",
    "before": "before adaptation",
    "latent": "after the steps on the latents",
    "maml": "MAML, same network and tasks",
    "limit": "limit: exact posterior mean",
}
SURE = {  # in result.json: column, how many decimals
    "coverage_50": ("50 % interval covers, %", 1),
    "coverage_90": ("90 % interval covers, %", 1),
    "negative_log_likelihood": ("negative log likelihood, nats", 3),
    "both_families": ("ambiguous tasks with both families, %", 1),
    "nan_tasks": ("tasks not finite", 0),
}
HOW_TO_READ = (
    "Errors are those of the samples' mean against the noise-free function, means over the seeds; "
    "± is half the 95 % interval of Student's t over them. A ratio is to the exact posterior's "
    "error on the same tasks, the mean of each seed's. What is not finite in one seed has no mean."
)


def section(task: Task, groups: Sequence[Group]) -> Section:
    """Make the tables of the regressions of one data set and number of support points."""
    labels = variants(groups)
    errors, sure = [], []
    texts = [_notes(group) for group in groups]
    notes = Notes(texts)
    for i, group in enumerate(groups):
        results = [run.told for run in group.runs]
        numbers, label = notes.numbers(texts[i]), labels.get(i, "")
        for name, title in MODELS.items():
            if any(f"{name}_squared_error" in each for each in results):
                is_leo = name == "adapted"
                cells = [
                    title,
                    *_errors(name, results),
                    str(len(results)),
                    numbers if is_leo else "",
                ]
                errors.append(Line(cells, label if is_leo else "", is_leo))
        figures = [
            cell
            for name, (_, decimals) in SURE.items()
            for cell in _mean(_all(results, name), f"{{:.{decimals}f}}".format, NONE)
        ]
        sure.append(Line([MODELS["adapted"], *figures, str(len(results))], label))
    columns = [Column("model", "l"), *_pair("mean squared error"), *_pair("median squared error")]
    columns += [*_pair("ratio to the limit"), Column("seeds"), Column("notes", "l")]
    told = [column for title, _ in SURE.values() for column in _pair(title)]
    tables = [
        Table("Squared errors", columns, errors, notes.texts, notes.of_all),
        Table(
            "What the samples tell of what is unknown",
            [Column("model", "l"), *told, Column("seeds")],
            sure,
        ),
    ]
    return Section(str(task), tables=tables)


def _pair(title: str) -> list[Column]:
    return [Column("mean", over=title), Column("± seeds", over=title)]


def _errors(name: str, results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cells of a model: mean and median squared error, ratio to the limit."""
    found = _all(results, f"{name}_squared_error")
    limits = _all(results, "limit_squared_error")
    ratios = [
        error / limit if error is not None and limit else None
        for error, limit in zip(found, limits, strict=True)
    ]
    medians = _all(results, f"{name}_median_squared_error")
    return [*_mean(found), *_mean(medians), *(_mean(ratios, "{:.2f}".format))]


def _all(results, name):
    return [each.get(name) for each in results]


def _mean(
    values: Sequence[float | None],
    write: Callable[[float], str] | None = None,
    lacking: str = "not finite",
) -> list[str]:
    """Cells of a mean over seeds, and of half its interval; `lacking` says why one has none."""
    write = write or _number
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        some = f" ({len(values) - len(known)} of {len(values)} seeds)" if known else ""
        return [lacking + some, NONE]
    mean, over_seeds, *_ = mean_of(known, [None] * len(known))
    return [write(mean), NONE if over_seeds is None else write(over_seeds)]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def _notes(group: Group) -> list[str]:
    """Say what was not sound in the training of each model."""
    found = []
    for run in group.runs:
        of_seed = f"Seed {run.seed}: " if len(group.runs) > 1 else ""
        beside = {"best_step": "unknown", "steps_taken": "all"}
        parts = {"MAML": run.told.get("maml", {}), "generator": run.told.get("generator", {})}
        for name, figures in {**parts, "LEO": run.told}.items():
            found += [of_seed + each for each in remarks({**beside, **figures}, name)]
    return found
