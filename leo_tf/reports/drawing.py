"""Learning curves as small SVGs that take their colours and letters from the page around them."""

import io
import re
from collections.abc import Sequence
from typing import Any

from leo_tf.reports.curves import Curve

SIZE = 3.3, 2.2  # inches of 72 units
# Colours that matplotlib writes, each once in place of what the page decides.
INK, RULE, SERIES, BESIDE = "#010101", "#020202", "#030303", "#040404"
STYLES = {
    INK: "currentColor",
    RULE: "var(--rule)",
    SERIES: "var(--series)",
    BESIDE: "var(--beside)",
}
LABELS = {
    "val_accuracy": "validation accuracy, %",
    "val_energy_score": "energy score",
    "val_squared_error": "squared error",
}
# Of matplotlib's SVG: a style of the whole page, names of groups, letters, turns by nothing.
USELESS = (
    r"<metadata>.*?</metadata>\s*",
    r"<style.*?</style>\s*",
    r'(?<=<g) id="[^"]*"',
    r" font-family: [^;]*;",
    r' transform="rotate\(-0 [^)]*\)"',
)
POINTS = 20  # of a curve of more, single ones are not marked
AS_TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "leo_tf", "font.family": "sans-serif"}


def draw(
    name: str,
    curves: Sequence[Curve],
    beside: Sequence[Curve] = (),
    limits: tuple[float, float] | None = None,
    chosen: Sequence[int | None] = (),
) -> tuple[str, str]:
    """Draw curves of one column of metrics.csv.

    Args:
      name: what the identifiers in the SVG start with, so that a page may hold several.
      curves: of one configuration, one a seed.
      beside: of another one, to compare with.
      limits: of the vertical axis; None for those of the curves.
      chosen: the step of each curve whose model was tested, which gets a dot; None for none.

    Returns:
      The pair (view box, what is within the SVG element).
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(AS_TEXT):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for curve in beside:
            axes.plot(curve.steps, curve.values, color=BESIDE, linewidth=1, linestyle="--")
        for curve, step in zip(curves, [*chosen] or [None] * len(curves), strict=True):
            few = len(curve.steps) <= POINTS or len(curve.finite) < len(curve.steps)
            marker = "." if few else ""
            axes.plot(curve.steps, curve.values, color=SERIES, marker=marker, lw=1.4, ms=4)
            if step in curve.steps:
                value = curve.values[curve.steps.index(step)]
                axes.plot([step], [value], "o", color=SERIES, markersize=5)
        if limits:
            axes.set_ylim(*limits)
        _in_the_pages_style(axes, LABELS[curves[0].column])
        file = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _inlined(file.getvalue(), name)


def _in_the_pages_style(axes: Any, label: str) -> None:
    """Give axes their labels, few ticks, and the colours that the page decides."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlabel("outer steps", fontsize=9, color=INK)
    axes.set_ylabel(label, fontsize=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=9, color=RULE, labelcolor=INK, length=3)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)


def limits_of(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return limits of an axis that all curves fit in; None if nothing in them is finite."""
    values = [value for curve in curves for _, value in curve.finite]
    if not values:
        return None
    least, most = min(values), max(values)
    room = 0.05 * (most - least) or 1.0
    return least - room, most + room


def in_words(curves: Sequence[Curve], seeds: Sequence[int]) -> str:
    """Say what curves show, for those who do not see them."""
    return "; ".join(
        f"seed {seed}: {_in_words(curve)}" for seed, curve in zip(seeds, curves, strict=True)
    )


def _in_words(curve):
    unit = " %" if curve.column == "val_accuracy" else ""
    lost = len(curve.values) - len(curve.finite)
    if not curve.finite:
        return "no validation finite"
    best = (max if unit else min)(curve.finite, key=lambda pair: pair[1])
    (first, start), (last, end) = curve.finite[0], curve.finite[-1]
    more = f", {lost} not finite" if lost else ""
    return (
        f"from {start:.2f}{unit} at step {first:,} to {end:.2f}{unit} at step {last:,}, "
        f"best {best[1]:.2f}{unit} at step {best[0]:,}{more}"
    )


def _inlined(text: str, name: str) -> tuple[str, str]:
    """Take an SVG file's view box and content, with identifiers and colours for a page."""
    box = re.search(r'viewBox="([\d. ]+)"', text)
    content = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    for useless in USELESS:
        content = re.sub(useless, "", content, flags=re.DOTALL)
    content = re.sub(r"(\d\.\d\d)\d+", r"\1", content)  # finer than a screen
    content = re.sub(r'\bid="', f'id="{name}-', content)
    content = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", content)
    content = content.replace("xlink:href", "href")
    for colour, style in STYLES.items():
        content = content.replace(colour, style)
    return box[1] if box else "", content.strip()
