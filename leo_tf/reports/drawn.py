"""The paper's figures of finished runs, drawn into files."""

import importlib

from data_pipeline import atomic
from leo_tf.reports.asked import FIGURES, Asked


def draw(asked: Asked) -> list[str]:
    """Draw a figure, and write what it says into a file beside it, if it says anything.

    Args:
      asked: what `load` returned.

    Returns:
      Lines of what was measured.

    Raises:
      FileNotFoundError, ValueError: one line, if it cannot be drawn of these runs.
    """
    (number,) = (number for number, figure in FIGURES.items() if figure == asked.figure)
    lines = importlib.import_module(f"leo_tf.reports.figure_{number}").draw(asked)
    if asked.said in asked.files:
        atomic.write_text(asked.said, "".join(f"{line}\n" for line in lines))
    return lines
