"""Tables of accuracies: tables 1 and 2 of the paper with our figures, and those of other data."""

from collections.abc import Iterable, Sequence
from typing import Any

from leo_tf.classification.protocol import (
    FOUND_THE_STEP,
    NOTHING,
    UNKNOWN,
    circumstances,
    differences,
    training,
)
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.config.methods import BASELINE, DEFAULT, METHODS
from leo_tf.published import accuracies
from leo_tf.published.reference import TABLES, ReferenceResult
from leo_tf.published.reference import rows as published_rows
from leo_tf.reports.groups import Group, Task, difference, reference, variants
from leo_tf.reports.method_table import PRINTED, PRINTED_ARE, printed
from leo_tf.reports.tables import NONE, Column, Line, Notes, Section, Table, half
from leo_tf.studies.comparison import is_at_chance
from leo_tf.training.ending import remarks

WAY = 5  # of everything that is published
OF_BOTH = frozenset((DEFAULT, "meta_sgd"))  # stand in both of the paper's tables
MEAN = "accuracy, %"
OURS = (
    Column("mean", over=MEAN),
    Column("± seeds", over=MEAN),
    Column("± episodes", over=MEAN),
    Column("seeds"),
)
APART = "minus LEO, paired"
TO_LEO = (
    Column("mean", over=APART),
    Column("± seeds", over=APART),
    Column("± episodes", over=APART),
)
ABLATIONS = frozenset(
    name
    for name, printed_name in PRINTED.items()
    for table in TABLES.values()
    for entry in table
    if entry[0] == accuracies.ABLATION and entry[1] == printed_name
)
BELOW = f"Below the {METHODS[BASELINE].title}, which learns nothing."
HOW_TO_READ = (
    "An accuracy is the mean over the runs of a configuration, which differ in their seed alone. "
    "± seeds is half the 95 % interval of Student's t over these runs, ± episodes half that of the "
    "mean over their test episodes (normal); one says nothing of the other. A difference to LEO is "
    "paired: the same episodes of the same seeds. A dash stands where there is no figure, as for "
    "the interval over one seed."
)
NO_PAIRS = (
    "No differences to LEO: they take the accuracies of single episodes (test_episodes.npy) of "
    "both runs."
)


def section(task: Task, groups: Sequence[Group]) -> Section:
    """Make the tables of a task: the paper's two where it has figures of it, else one."""
    leo, said = _compared_with(groups)
    if of_paper := _of_paper(task):
        parts = _parts(of_paper, groups)
        tables = [_paper_table(name, rows, ours, groups, leo) for name, rows, ours in parts]
    else:
        tables = [_table(task, groups, leo)]
    return Section(str(task), said, tables=tables)


def _compared_with(groups: Sequence[Group]) -> tuple[Group | None, list[str]]:
    """Return LEO's runs that others are compared with, None if none can be, and what to say."""
    leo = reference(groups)
    others = [group for group in groups if group is not leo]
    if leo is None or not others:
        return None, []
    if not any(difference(group, leo) for group in others):
        return None, [NO_PAIRS]
    several = sum(group.method == DEFAULT for group in groups) > 1
    return leo, [f"LEO, in the differences, is that of {leo.place}."] if several else []


def published_alone(dataset: str) -> Table:
    """Make a table of what is published of a data set of which there is no run."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for row in published_rows(dataset):
        crop = ", multiview" if row.crop == "multiview" else ""
        found.setdefault((row.method, row.source + crop), {})[row.shot] = _printed(row)
    names = Column("method", "l"), Column("published in", "l")
    lines = [
        Line([method, source, shots.get(1, NONE), shots.get(5, NONE)], marked=method == "LEO")
        for (method, source), shots in found.items()
    ]
    columns = [*names, Column("1-shot"), Column("5-shot")]
    return Table(f"{dataset}, 5-way: published accuracies, %", columns, lines)


def _of_paper(task: Task) -> list[ReferenceResult]:
    """List what is published of a task."""
    if task.way != WAY or task.split:
        return []
    crops = ("multiview",) if task.crop == "multiview" else ("center", None)
    return [row for row in published_rows(task.dataset, task.shot) if row.crop in crops]


def _parts(rows: Sequence[ReferenceResult], groups: Sequence[Group]):
    """Yield the title of each of the paper's tables, its published rows, and the groups for it."""
    ablation = accuracies.ABLATION[1]
    names = {PRINTED[method] for method in OF_BOTH}
    table_1 = [row for row in rows if row.source != ablation or row.method in names]
    table_2 = [row for row in rows if row.source == ablation or row.method in names]
    yield (
        "Table 1: methods, in the order of the paper",
        table_1,
        [g for g in groups if 1 in tables_of(g.method)],
    )
    yield (
        "Table 2: ablations of LEO, in the order of the paper",
        table_2,
        [g for g in groups if 2 in tables_of(g.method)],
    )


def tables_of(method: str) -> list[int]:
    """Return the numbers of the paper's tables that a method belongs in, whether it is there."""
    if method in OF_BOTH:
        return [1, 2]
    return [2] if method in ABLATIONS else [1]


def _paper_table(caption, rows, groups, every, leo):
    """One of the paper's tables: its rows in its order, with our figures, then methods it lacks.

    Args:
      caption: its.
      rows: what is published of each of its rows.
      groups: our runs for it, among `every` group of the task.
      leo: those that differences are to, or None.
    """
    labels = dict(zip(map(id, every), _labels(every), strict=True))
    pairs: list[tuple[ReferenceResult | None, Group | None]] = []
    for row in rows:
        ours = [group for group in groups if PRINTED.get(group.method) == row.method]
        pairs += [(row, group) for group in ours] or [(row, None)]
    used = {id(group) for _, group in pairs}
    others = [group for group in groups if id(group) not in used]
    pairs += [(None, group) for group in sorted(others, key=lambda each: -each.accuracy.mean)]
    texts = [_notes_beside(row, group) for row, group in pairs]
    with_both = [each for each, (row, group) in zip(texts, pairs, strict=True) if row and group]
    notes = Notes(texts, with_both, "Of every line with a printed figure and ours:")
    lines = [
        _paper_line(row, group, leo, labels.get(id(group), ""), notes.numbers(each))
        for (row, group), each in zip(pairs, texts, strict=True)
    ]
    columns = [Column("method", "l"), Column("printed, %"), Column("trained on", "l"), *OURS]
    columns += [Column("minus printed"), *(TO_LEO if leo else ()), Column("notes", "l")]
    return Table(caption, columns, lines, notes.texts, notes.of_all)


def _paper_line(row, group, leo, label, numbers):
    """A line: what is printed of a method, or None, and our runs of it, or None."""
    name = row.method if row else group.title
    is_leo = name == PRINTED[DEFAULT]
    under = "; ".join(each for each in (row.source if row and is_leo else "", label) if each)
    beside = _printed(row) if row else NONE
    if group is None:
        count = 1 + len(OURS) + 1 + (len(TO_LEO) if leo else 0)
        return Line([name, beside, *[NONE] * count, ""], under, is_leo)
    apart = f"{group.accuracy.mean - row.accuracy:+.2f}" if row else NONE
    ours = [_trained_on(group), *_accuracy(group), apart]
    ours += _to_leo(group, leo) if leo else []
    return Line([name, beside, *ours, numbers], under, is_leo)


def _table(task, groups, leo):
    """The table of other data: methods from the best down."""
    baseline = max((g.accuracy.mean for g in groups if g.method == BASELINE), default=0.0)
    labels = dict(zip(map(id, groups), _labels(groups), strict=True))
    groups = sorted(groups, key=lambda group: -group.accuracy.mean)
    texts = [_notes(group) for group in groups]
    for group, each in zip(groups, texts, strict=True):
        each += [BELOW] if group.accuracy.mean < baseline else []
    notes = Notes(texts)
    splits = {_trained_on(group) for group in groups} - {NOTHING}
    lines = []
    for group, each in zip(groups, texts, strict=True):
        cells = [group.title, *_accuracy(group)]
        cells += [_trained_on(group)] if len(splits) > 1 else []
        cells += _to_leo(group, leo) if leo else []
        beside = printed(task.dataset, group.method, task.shot) if task.way == WAY else None
        figure, _, data = (beside or "").partition(", ")
        cells += [figure or NONE, data, notes.numbers(each)]
        lines.append(Line(cells, labels[id(group)], group.method == DEFAULT))
    columns = [Column("method", "l"), *OURS]
    columns += [Column("trained on", "l")] if len(splits) > 1 else []
    columns += TO_LEO if leo else []
    columns += [Column("%", over="printed"), Column("data", "l", over="printed")]
    columns += [Column("notes", "l")]
    below = " ".join(each for each in (notes.of_all, PRINTED_ARE) if each)
    return Table("Methods, from the best down", columns, lines, notes.texts, below)


def _labels(groups):
    """What tells each group from others of its method, "" where nothing must."""
    found = variants(groups)
    return [found.get(i, "") for i in range(len(groups))]


def _accuracy(group: Group) -> list[str]:
    mean = group.accuracy
    return [f"{mean.mean:.2f}", half(mean.over_seeds), half(mean.over_episodes), str(mean.runs)]


def _to_leo(group: Group, leo: Group) -> list[str]:
    """Cells of the difference to LEO; of fewer seeds than the accuracy has, it says of how many."""
    if group is leo:
        return [""] * len(TO_LEO)
    found = difference(group, leo)
    if found is None:
        return [NONE] * len(TO_LEO)
    of = "" if found.runs == len(group.runs) else f" ({found.runs} of {len(group.runs)} seeds)"
    return [f"{found.mean:+.2f}{of}", half(found.over_seeds), half(found.over_episodes)]


def _trained_on(group: Group) -> str:
    found = dict.fromkeys(training(run.told, group.method) for run in group.runs)
    return ", ".join(found) or UNKNOWN


def _printed(row: ReferenceResult) -> str:
    interval = "" if row.interval is None else f" ± {row.interval:.2f}"
    return f"{row.accuracy:.2f}{interval}"


def _notes_beside(row: ReferenceResult | None, group: Group | None) -> list[str]:
    """Say the same of a group, if there is one, and what sets it apart from a published row."""
    if group is None:
        return []
    apart = [text for run in group.runs for text in differences(run.told, group.method)]
    return [*dict.fromkeys(apart if row else []), *_notes(group)]


def _notes(group: Group) -> list[str]:
    """Say what a reader must know of a group's runs."""
    told_of = {run.seed: circumstances(run.told, group.method) for run in group.runs}
    found: list[str] = []
    for run in group.runs:
        told: dict[str, Any] = run.told
        of_seed = f"Seed {run.seed}: " if len(group.runs) > 1 else ""
        for each in told_of[run.seed]:
            of_all = all(each in others for others in told_of.values())
            found.append(each if of_all else of_seed + each)
        if count := told.get("not_finite_episodes"):
            found.append(
                f"{of_seed}{count} of {told['test_episodes']} episodes had scores that are not "
                "finite; a query is wrong about such a score."
            )
        first = remarks(told.get(EARLY_STOPPING, {}), FOUND_THE_STEP)
        found += [of_seed + each for each in [*first, *remarks(told)]]
    figures = [run.told["test_accuracy"] for run in group.runs]
    if failed := sum(is_at_chance(figure, group.task.way) for figure in figures):
        of = f" in {failed} of {len(figures)} runs" if len(figures) > 1 else ""
        found.append(f"At chance{of}: training with these settings failed.")
    return list(dict.fromkeys(found))


def records(groups: Iterable[Group], leo_of: dict[Task, Group | None]) -> list[dict[str, Any]]:
    """Return the figures of classifications by name, a dict a group; None where there is none."""
    found = []
    for group in groups:
        task, leo, mean = group.task, leo_of[group.task], group.accuracy
        apart = difference(group, leo) if leo is not None and group is not leo else None
        found.append(
            {
                "dataset": task.dataset,
                "crop": task.crop,
                "split": task.split,
                "way": task.way,
                "shot": task.shot,
                "method": group.method,
                "folder": group.place,
                "seeds": group.seeds,
                "trained_on": _trained_on(group),
                "accuracy": mean.mean,
                "ci95_over_seeds": mean.over_seeds,
                "ci95_over_episodes": mean.over_episodes,
                "runs": mean.runs,
                "minus_leo": apart and apart.mean,
                "minus_leo_ci95_over_seeds": apart and apart.over_seeds,
                "minus_leo_ci95_over_episodes": apart and apart.over_episodes,
                "minus_leo_runs": apart and apart.runs,
                "printed": printed(task.dataset, group.method, task.shot)
                if task.way == WAY
                else None,
            }
        )
    return found
