"""Figure 3 of the paper: t-SNE of LEO's codes before and after adaptation."""

import sys

import numpy as np

from data_pipeline import atomic, console
from leo_tf.markdown import as_csv
from leo_tf.reports.asked import Asked
from leo_tf.reports.claims import all_of
from leo_tf.reports.codes import apart, encode, plane, separation
from leo_tf.reports.lettering import plain

BEFORE, AFTER, OTHERS = "tab:blue", "tab:orange", "lightgrey"
FEWEST = 3  # codes that can be laid out
HALFWAY = 0.75  # of a code's nearest ones: between a half, where nothing changes, and all of them
COLUMNS = ("episode", "class", "before_x", "before_y", "after_x", "after_y")


def draw(asked: Asked) -> list[str]:
    """Draw the codes three times, and write where they lie as CSV.

    Returns:
      What is shown, and whether what the paper says of it holds here.

    Raises:
      ValueError: one line, if hardly any code is finite.
    """
    every = encode(asked)
    codes = every.where(every.finite)
    if len(codes.classes) < FEWEST:
        raise ValueError(
            f"{asked.runs['leo'].folder}: {len(codes.classes)} of {len(every.classes)} codes are "
            "finite, too few to be shown; give more --episodes"
        )
    if console.shows_progress():
        print(f"t-SNE of {2 * len(codes.classes):,} codes: a minute or more", file=sys.stderr)
    points = plane(np.concatenate([codes.before, codes.after]), asked.seed)
    before, after = np.split(points, 2)
    names = asked.embeddings.class_names
    lines = [
        (episode, names[number], *(round(float(x), 2) for x in (*start, *end)))
        for episode, number, start, end in zip(
            codes.episodes, codes.classes, before, after, strict=True
        )
    ]
    atomic.write_text(asked.numbers, as_csv(COLUMNS, lines))
    shown = np.unique(codes.classes)
    chosen = shown[asked.seed % len(shown)]
    with atomic.writer(asked.path) as file:
        _plot(before, after, codes.classes, chosen, names).savefig(file, format="png", dpi=80)
    return _told(asked, every, codes, names[chosen])


def _plot(before, after, classes, chosen, names):
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.4), layout="constrained")
    panels = figure.subplots(1, 3)
    small = {"s": 3, "linewidths": 0}
    ours = classes == chosen
    panels[0].scatter(*before.T, color=BEFORE, label="before, $z$", **small)
    panels[0].scatter(*after.T, color=AFTER, label="after, $z'$", **small)
    panels[0].set_title("(a) before and after adaptation")
    numbers = {number: i for i, number in enumerate(np.unique(classes))}
    hues = colormaps["hsv"](np.arange(len(numbers)) / len(numbers))
    colours = hues[[numbers[number] for number in classes]]
    for points in (before, after):
        panels[1].scatter(*points.T, color=colours, **small)
    panels[1].set_title("(b) by class")
    for points, colour, name in ((before, BEFORE, "before"), (after, AFTER, "after")):
        panels[2].scatter(*points[~ours].T, color=OTHERS, **small)
        panels[2].scatter(*points[ours].T, color=colour, label=name, **{**small, "s": 8}, zorder=3)
    panels[2].set_title(f"(c) {plain(names[chosen])}")
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])
    for panel in (panels[0], panels[2]):
        panel.legend(loc="best", markerscale=3, fontsize=9)
    return figure


def _told(asked, every, codes, chosen):
    """Return what is shown, and whether what the paper says holds; what is missing, if any."""
    run = asked.runs["leo"]
    share = apart(codes)
    before, after = (separation(z, codes.classes) for z in (codes.before, codes.after))
    verdict = all_of((share, after - before), (HALFWAY, 0))
    lines = [
        f"LEO's codes of the classes of {asked.sizes} of {asked.embeddings.name}, before (z) and "
        f"after adaptation (z'), laid out by t-SNE; {chosen} is highlighted.",
        "    The paper: adapted codes leave the cluster of the others, and classes are further "
        f"apart. Here {100 * share:.0f} % of a code's nearest ones are of its own kind (50 % if "
        f"nothing changed), and the silhouette of classes goes from {before:.2f} to {after:.2f}: "
        f"{verdict}.",
    ]
    missing = len(every.classes) - len(codes.classes)
    if missing:
        lines.append(f"note: {missing} of {len(every.classes)} codes not finite, left out")
    if run.config.experiment.train_on_val:
        lines.append("note: LEO was trained on these classes, too")
    return lines
