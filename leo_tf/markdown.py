"""Tables in Markdown that people can read as they are, and in CSV that no program runs."""

import csv
import io
import re
from collections.abc import Sequence


def aligned(header: Sequence[str], lines: Sequence[Sequence[str]], sides: str) -> str:
    """Lay out a table, its columns as wide as their widest cell.

    Args:
      header: names of the columns.
      lines: cells of each line, as many.
      sides: of each column "l" or "r", where its cells stand.
    """
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    widths = [max(width, 3) for width in widths]
    rule = [
        "-" * (width - 1) + ":" if side == "r" else "-" * width
        for side, width in zip(sides, widths, strict=True)
    ]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, side, width in zip(line, sides, widths, strict=True)
        )
        + " |"
        for line in [header, rule, *lines]
    )


def escaped(text: str) -> str:
    """Return text, such as a name from a file, that Markdown shows as it is, in one cell."""
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", " ".join(text.split()))


def as_csv(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """Write a table as CSV; text that a spreadsheet would compute gets a ' before it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([[_harmless(cell) for cell in line] for line in [header, *lines]])
    return file.getvalue()


def _harmless(cell):
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
