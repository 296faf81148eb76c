"""The picture of a study of methods: accuracies side by side, with their intervals."""

import os
from collections.abc import Sequence

from data_pipeline import atomic, paths
from leo_tf.config.methods import DEFAULT
from leo_tf.reports.lettering import plain
from leo_tf.studies.comparison import Row
from leo_tf.studies.plan import Study, method_of, title

LEO, OTHER = "#c44e52", "#4c72b0"


def draw(study: Study, rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Write a PNG with a panel for each shot, methods from the best of the first shot down.

    Bars are the larger of the intervals over seeds and over episodes.
    """
    from matplotlib.figure import Figure

    shots = [shot for shot in study.shots if any(row.shot == shot for row in rows)]
    first = sorted((row for row in rows if row.shot == shots[0]), key=lambda row: row.accuracy.mean)
    names = [row.name for row in first]
    figure = Figure(figsize=(4 + 3.2 * len(shots), 1.2 + 0.24 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(shots), sharey=True, squeeze=False)[0]
    for shot, panel in zip(shots, panels, strict=True):
        for row in rows:
            if row.shot == shot and row.name in names:
                mean, *halves, _ = row.accuracy
                half = max(each or 0.0 for each in halves)
                colour = LEO if method_of(row.name) == DEFAULT else OTHER
                panel.errorbar(mean, names.index(row.name), xerr=half, fmt="o", color=colour)
        low, high = panel.get_xlim()
        panel.set_xlim(max(low, 0.0), min(high, 100.0))  # intervals over few seeds may go beyond
        panel.set_yticks(range(len(names)), [plain(title(row.name)) for row in first])
        panel.set_xlabel("test accuracy, %")
        panel.set_title(f"{plain(study.dataset)}, {study.way}-way {shot}-shot")
        panel.grid(axis="x", alpha=0.3)
    with atomic.writer(paths.expand(path)) as file:
        figure.savefig(file, format="png", dpi=120)
