"""What a report is made of: parts, sections, tables and figures, before Markdown or HTML."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from leo_tf import markdown

NONE = "-"  # a figure that does not exist


class Column(NamedTuple):
    """A column of a table."""

    name: str
    side: str = "r"  # or "l": where its cells stand
    over: str = ""  # a heading that it shares with its neighbours


class Line(NamedTuple):
    """A line of a table; its first cell is its heading."""

    cells: Sequence[str]
    under: str = ""  # what sets it apart from others of this heading
    marked: bool = False  # whether readers look for it


class Table(NamedTuple):
    """A table: nothing in it is escaped."""

    caption: str
    columns: Sequence[Column]
    lines: Sequence[Line]
    notes: Sequence[str] = ()  # the first is note 1
    below: str = ""  # what is said of the whole

    def as_markdown(self) -> str:
        """Lay it out for people who read the text as it is."""
        lines = [[_joined(line.cells[0], line.under), *line.cells[1:]] for line in self.lines]
        before = [None, *self.columns]
        names = [_named(*pair) for pair in zip(self.columns, before, strict=False)]
        cells = [[markdown.escaped(cell) for cell in line] for line in lines]
        table = markdown.aligned(names, cells, "".join(column.side for column in self.columns))
        notes = [f"{i}. {markdown.escaped(note)}" for i, note in enumerate(self.notes, 1)]
        below = markdown.escaped(self.below)
        parts = [f"**{markdown.escaped(self.caption)}**", table, "\n".join(notes), below]
        return "\n\n".join(part for part in parts if part)


class Figure(NamedTuple):
    """A small drawing; its text is all that HTML readers who do not see it get."""

    title: str
    under: str
    said: str  # what it shows, in words
    view_box: str  # of the SVG
    svg: str  # what is within it; safe, as no text of a run is in it


class Picture(NamedTuple):
    """A plot of many points, as PNG."""

    title: str
    under: str
    said: Sequence[str]  # what it shows, a line each: all that readers who do not see it get
    png: str  # in base 64


@dataclasses.dataclass(frozen=True)
class Section:
    """Tables and figures below a heading."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()  # of a list
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    pictures: Sequence[Picture] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """Sections below a heading."""

    title: str
    paragraphs: Sequence[str] = ()
    sections: Sequence[Section] = ()


class Notes:
    """The notes of a table: each once, by its number, and those that many lines share apart.

    Args:
      lines: the notes of each line.
      among: those of the lines that may share some; None for all.
      which: which lines these are, for people.
    """

    def __init__(
        self,
        lines: Sequence[Sequence[str]],
        among: Sequence[Sequence[str]] | None = None,
        which: str = "Of all lines:",
    ) -> None:
        among = lines if among is None else among
        every = dict.fromkeys(text for texts in lines for text in texts)
        shared = [text for text in every if all(text in texts for texts in among)]
        self._shared = shared if len(among) > 1 else []
        self._which = which
        self.texts = [text for text in every if text not in self._shared]

    @property
    def of_all(self) -> str:
        """What is to be said of these lines together, "" if nothing."""
        return " ".join([self._which, *self._shared]) if self._shared else ""

    def numbers(self, texts: Sequence[str]) -> str:
        """Return the numbers of a line's notes, as a cell."""
        found = {self.texts.index(text) + 1 for text in texts if text in self.texts}
        return ", ".join(map(str, sorted(found)))


def half(value: float | None) -> str:
    """Write half an interval, in percent."""
    return NONE if value is None else f"{value:.2f}"


def _joined(cell, under):
    return f"{cell} ({under})" if under else cell


def _named(column: Column, before: Column | None) -> str:
    """Name a column where no heading is shared: the first of its neighbours tells that."""
    if not column.over or (before is not None and before.over == column.over):
        return column.name
    return f"{column.over}: {column.name}"
