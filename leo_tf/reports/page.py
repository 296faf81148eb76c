"""A report of runs: one HTML page that needs nothing else, Markdown, and CSV."""

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from data_pipeline import atomic, paths
from data_pipeline.version import __version__
from leo_tf import markdown, provenance
from leo_tf.published.reference import TABLES
from leo_tf.reports import (
    accuracy_tables,
    curve_figures,
    other_tables,
    pictures,
    regression_tables,
)
from leo_tf.reports.collected import Collection
from leo_tf.reports.groups import Group, by_task, grouped, reference
from leo_tf.reports.tables import Part, Section

HTML, MARKDOWN, CSV = "report.html", "report.md", "report.csv"
TEMPLATE = "page.html.jinja"


def write(collection: Collection, folder: str | os.PathLike) -> list[Path]:
    """Write the report of some runs.

    Args:
      collection: the runs.
      folder: for report.html, report.md and report.csv; made if need be.

    Returns:
      The files.

    Raises:
      OSError: if they cannot be written.
    """
    out = paths.expand(folder)
    parts, groups = parts_of(collection)
    summary = summarised(collection)
    contents = {
        HTML: as_html(summary, parts, collection.places),
        MARKDOWN: as_markdown(summary, parts, collection.places),
        CSV: as_csv(groups),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        atomic.write_text(out / name, text)
    return [out / name for name in contents]


def parts_of(collection: Collection) -> tuple[list[Part], list[Group]]:
    """Lay out a report; returns its parts, and the groups of finished classifications."""
    groups, doubles = grouped(collection.finished)
    tasks = by_task(groups, tuple(TABLES))
    classified = {task: each for task, each in tasks.items() if task.kind == "classification"}
    fitted = {task: each for task, each in tasks.items() if task.kind == "regression"}
    sections = [accuracy_tables.section(task, each) for task, each in classified.items()]
    parts = []
    if sections:
        parts.append(Part("Accuracy", [accuracy_tables.HOW_TO_READ], sections))
    if fitted:
        sections = [regression_tables.section(task, each) for task, each in fitted.items()]
        parts.append(Part("Regression", [regression_tables.HOW_TO_READ], sections))
    if shown := pictures.part(collection):
        parts.append(shown)
    every, _ = grouped(collection.runs)
    parts.append(curve_figures.part(by_task(every, tuple(TABLES))))
    if groups:
        parts.append(_cost(tasks))
    parts.append(_runs(collection, groups, doubles))
    if without := [name for name in TABLES if name not in {task.dataset for task in tasks}]:
        parts.append(_published(without))
    return parts, [group for each in classified.values() for group in each]


def summarised(collection: Collection) -> str:
    """Say in a sentence what was found."""
    finished, rest = len(collection.finished), len(collection.unfinished)
    faults = len(collection.faults)
    said = [f"{finished} finished run{'s' * (finished != 1)}"]
    said += [f"{rest} not finished"] if rest else []
    said += [f"{faults} fault{'s' * (faults != 1)}"] if faults else []
    return ", ".join(said) + "."


def as_html(summary: str, parts: Sequence[Part], places: Sequence[str]) -> str:
    """Render the page; every text of a run is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # whatever the name of the template
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        title=_title(places),
        summary=summary,
        parts=parts,
        made_by=_made_by(),
    )


def as_markdown(summary: str, parts: Sequence[Part], places: Sequence[str]) -> str:
    """Write the same, but for the figures."""
    text = [f"# {markdown.escaped(_title(places))}", summary]
    for part in parts:
        text += [f"## {part.title}", *map(markdown.escaped, part.paragraphs)]
        for section in part.sections:
            text += [f"### {markdown.escaped(section.title)}"] if section.title else []
            text += map(markdown.escaped, section.paragraphs)
            items = [f"- {markdown.escaped(item)}" for item in section.items]
            text += ["\n".join(items)] if items else []
            text += [table.as_markdown() for table in section.tables]
            if section.figures:
                text.append(f"{len(section.figures)} figures, in {HTML}.")
            for picture in section.pictures:
                text.append(markdown.escaped(f"{picture.under}, drawn in {HTML}:"))
                text.append("\n".join(f"- {markdown.escaped(line)}" for line in picture.said))
    return "\n\n".join([*text, f"Made by {_made_by()}."]) + "\n"


def as_csv(groups: Sequence[Group]) -> str:
    """Write the figures of classifications, a line for each configuration."""
    tasks = by_task(groups, ())
    leo_of = {task: reference(each) for task, each in tasks.items()}
    records = accuracy_tables.records(groups, leo_of)
    header = list(records[0]) if records else ["method"]
    return markdown.as_csv(header, [[each[name] for name in header] for each in records])


def _cost(tasks) -> Part:
    """The part about what runs cost, a table a data set."""
    names = dict.fromkeys(task.dataset for task in tasks)
    tables = [
        other_tables.cost({t: g for t, g in tasks.items() if t.dataset == name}, name)
        for name in names
    ]
    return Part("Cost", [other_tables.HOW_TO_READ], [Section("", tables=tables)])


def _runs(collection: Collection, groups: Sequence[Group], doubles: Sequence[str]) -> Part:
    """The part about where the figures lie, and what is not among them."""
    sections = []
    if groups:
        table = other_tables.sources(groups)
        sections.append(Section("Finished", items=doubles, tables=[table]))
    if collection.unfinished:
        table = other_tables.unfinished(collection.unfinished)
        sections.append(Section("Not finished", tables=[table]))
    if collection.faults:
        sections.append(Section("What could not be used", items=collection.faults))
    return Part("Runs", sections=sections)


def _published(names: Sequence[str]) -> Part:
    """The part about the paper's tables of data of which there is no run."""
    tables = [accuracy_tables.published_alone(name) for name in names]
    said = f"No run here is on {' or '.join(names)}, so nothing stands beside these figures."
    return Part("Tables 1 and 2 of the paper", [said], [Section("", tables=tables)])


def _title(places: Sequence[str]) -> str:
    return f"Report on few-shot runs: {', '.join(places)}"


def _made_by() -> str:
    """Version, commit and day."""
    commit = provenance.commit()
    state = ", modified" if commit["modified"] else ""
    of_commit = f" ({commit['commit'][:10]}{state})" if commit["commit"] else ""
    return f"leo-tf {__version__}{of_commit} on {datetime.now(timezone.utc):%Y-%m-%d}"
