"""The part of a report that shows learning curves, a small figure for each configuration."""

from collections.abc import Iterator, Mapping, Sequence

import tqdm

from data_pipeline import console
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.reports import drawing
from leo_tf.reports.curves import Curve
from leo_tf.reports.groups import Group, Task, reference, variants
from leo_tf.reports.tables import Figure, Part, Section

INTRO = (
    "Validations in the course of training, a line for each seed; the dot is the model that was "
    "tested, or whose step was found. Dashed: LEO's. The vertical axis is the same in all figures "
    "of a task."
)
MISSING = "{} of {} runs have no metrics.csv with validations here, and no curve."
NOTHING = "No run has a metrics.csv with validations here, so there are no curves."
MODELS = {
    "": "",
    "maml": "MAML",
    "generator": "the generator, LEO without inner loops",
    EARLY_STOPPING: "early stopping, which finds the step",
}
ON_VAL = "validated on classes that it is trained on"


def part(tasks: Mapping[Task, Sequence[Group]]) -> Part:
    """Draw the curves of every task whose runs have any, those of unfinished runs, too."""
    runs = [run for groups in tasks.values() for group in groups for run in group.runs]
    without = sum(1 for run in runs if not run.curves)
    total = sum(1 for groups in tasks.values() for group in groups for _ in _models(group))
    quiet = not console.shows_progress()
    said = [MISSING.format(without, len(runs))] if without else []
    with tqdm.tqdm(total=total, unit="figure", desc="curves", disable=quiet) as bar:
        sections = [
            Section(str(task), figures=figures)
            for number, (task, groups) in enumerate(tasks.items(), 1)
            if (figures := list(_figures(f"f{number}", groups, bar)))
        ]
    return Part("Learning curves", [INTRO, *said] if sections else [NOTHING], sections)


def _models(group: Group) -> list[str]:
    """Names of the models of a group that have curves, the main one last."""
    return sorted({name for run in group.runs for name in run.curves}, reverse=True)


def _best_first(group: Group) -> float:
    """Sort classifications as their table does; those that are not finished come last."""
    is_tested = group.first.is_classification and group.finished
    return -group.accuracy.mean if is_tested else 0.0


def _figures(prefix: str, groups: Sequence[Group], bar: tqdm.tqdm) -> Iterator[Figure]:
    groups = sorted(groups, key=_best_first)
    labels, leo = variants(groups), reference(groups)
    curves: dict[str, list[Curve]] = {}
    for run in (run for group in groups for run in group.runs):
        for model, curve in run.curves.items():
            curves.setdefault(_axis(model), []).append(curve)
    limits = {axis: drawing.limits_of(found) for axis, found in curves.items()}
    for i, group in enumerate(groups):
        for model in _models(group):
            runs = [run for run in group.runs if model in run.curves]
            found = [run.curves[model] for run in runs]
            # Of another measure, as of another version, there is nothing to compare.
            beside = _of(leo, found[0].column) if _comparable(group, leo) and not model else []
            chosen = [_chosen(run, model) for run in runs]
            axis = limits[_axis(model)]
            drawn = drawing.draw(f"{prefix}-{i}{model}", found, beside, axis, chosen)
            ended = "" if all(run.result is not None for run in runs) else "not finished"
            on_val = ON_VAL if _trains_on_val(group) and not model else ""
            under = [MODELS.get(model, model), on_val, labels.get(i, ""), ended]
            words = drawing.in_words(found, [run.seed for run in runs])
            measure = drawing.LABELS[found[0].column]
            said = f"{group.title}, {measure}: {words}"
            yield Figure(group.title, "; ".join(each for each in under if each), said, *drawn)
            bar.update()


def _axis(model: str) -> str:
    """Name the models whose curves share an axis by one of them."""
    return "" if model == EARLY_STOPPING else model


def _trains_on_val(group: Group) -> bool:
    return getattr(group.first.config.experiment, "train_on_val", False)


def _comparable(group: Group, leo: Group | None) -> bool:
    """Whether LEO's curves say anything beside a group's: both validate on new classes, or none."""
    return leo is not None and leo is not group and _trains_on_val(leo) == _trains_on_val(group)


def _of(leo: Group | None, column: str) -> list[Curve]:
    """The curves of LEO's runs, if they are of the same measure."""
    found = [run.curves.get("") for run in leo.runs] if leo else []
    return [curve for curve in found if curve is not None and curve.column == column]


def _chosen(run, model):
    """The step whose model was tested; None if it is not known, or of another model."""
    told = {"": run.told, EARLY_STOPPING: run.told.get(EARLY_STOPPING, {})}.get(model, {})
    step = told.get("best_step") if run.result is not None else None
    return step if isinstance(step, int) else None
