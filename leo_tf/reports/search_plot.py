"""Pictures of a search: how good its trials were one after another, and which settings matter."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipeline import atomic, paths
from leo_tf.reports.lettering import plain
from leo_tf.studies import trials

COMPLETE, PRUNED, FAILED, BEST = "#4c72b0", "#b0b0b0", "#c44e52", "#dd8452"


def draw_history(record: Mapping[str, Any], title: str, path: str | os.PathLike) -> None:
    """Write a PNG of the accuracy of each trial, and of the best until then.

    A trial that was pruned stands at its last validation; one that failed has a mark below.

    Args:
      record: see `trials.read`; it has a trial or more.
      title: above the picture.
      path: of the PNG.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    of_state = {
        state: [each for each in record["trials"] if each["state"] == state]
        for state in (trials.COMPLETE, trials.PRUNED, trials.FAILED)
    }
    ended, pruned, failed = of_state.values()
    _points(panel, ended, [each["val_accuracy"] for each in ended], "o", COMPLETE, "complete")
    lasts = [[*each["validations"].values()][-1] for each in pruned]
    _points(panel, pruned, lasts, "x", PRUNED, "pruned, at the last validation")
    for each in failed:
        panel.axvline(each["trial"], ymax=0.03, color=FAILED)
    if failed:
        panel.plot([], [], "|", color=FAILED, label="failed")
    if ended:
        numbers, best = best_until(ended)
        numbers.append(max(each["trial"] for each in record["trials"]))
        panel.step(numbers, [*best, best[-1]], where="post", color=BEST, label="best until then")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("trial")
    panel.set_ylabel("validation accuracy, %")
    panel.set_title(plain(title))
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    _save(figure, path)


def best_until(ended: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[float]]:
    """Return the numbers of complete trials, and the greatest accuracy up to each."""
    found: list[float] = []
    for each in ended:
        found.append(max([each["val_accuracy"], *found[-1:]]))
    return [each["trial"] for each in ended], found


def _points(panel, those, values, marker, colour, label):
    if those:
        numbers = [each["trial"] for each in those]
        panel.plot(numbers, values, marker, color=colour, label=label)


def draw_importance(shares: Mapping[str, float], title: str, path: str | os.PathLike) -> None:
    """Write a PNG of what share each setting has, the greatest on top.

    Args:
      shares: {setting: share}, the greatest first, as `importances` returns.
      title: above the picture.
      path: of the PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.4 + 0.3 * len(shares)), layout="constrained")
    panel = figure.subplots()
    names, values = [*shares][::-1], [*shares.values()][::-1]
    bars = panel.barh(names, values, color=COMPLETE)
    panel.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize="small")
    panel.set_xlim(0, max(values) * 1.12)
    panel.set_xlabel("share in what sets the best trials apart (PED-ANOVA)")
    panel.set_title(plain(title))
    _save(figure, path)


def _save(figure, path):
    with atomic.writer(paths.expand(path)) as file:
        figure.savefig(file, format="png", dpi=120)
