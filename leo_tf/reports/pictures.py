"""The part of a report that shows the paper's figures, as they were drawn of its runs."""

import base64

from leo_tf.reports.asked import FIGURES
from leo_tf.reports.collected import Collection, Run
from leo_tf.reports.tables import Part, Picture, Section

INTRO = (
    "As leo_tf.figures draws them; the numbers behind figures 3 and 4 lie beside their files, as "
    "CSV."
)
UNSAID = {
    "2": "Sampled networks of few-shot regression tasks, clear ones above and ambiguous ones below."
}
NOT_KEPT = "What it shows was not kept beside it."


def part(collection: Collection) -> Part | None:
    """Show the figures that lie in the folders of finished runs; None if there are none."""
    sections = []
    for number in FIGURES:
        found = [_picture(run, number) for run in collection.finished if number in run.drawn]
        if found:
            sections.append(Section(f"Figure {number}", pictures=found))
    return Part("Figures of the paper", [INTRO], sections) if sections else None


def _picture(run: Run, number: str) -> Picture:
    png, said = run.drawn[number]
    said = said or (UNSAID.get(number, NOT_KEPT),)
    return Picture(f"Figure {number}", run.name, said, base64.b64encode(png).decode())
