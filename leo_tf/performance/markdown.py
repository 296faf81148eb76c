"""Tables in Markdown that people can read as they are."""

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
