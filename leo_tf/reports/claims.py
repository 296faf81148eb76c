"""What the paper says of its figures 3 and 4, and whether measured numbers bear it out."""

import math
from collections.abc import Mapping, Sequence

from leo_tf.reports.boxes import Box
from leo_tf.reports.coverage import EIGENVALUE, INDUCED, SINGULAR_VALUE, STEP

UNTOLD = "cannot be told, as a figure is missing"


def by_factor(ratio: float, wanted: float) -> str:
    """Return whether something is as many times larger as the paper says.

    Args:
      ratio: what was measured; NaN if it was not.
      wanted: what the paper says, at least.
    """
    if math.isnan(ratio):
        return UNTOLD
    if ratio >= wanted:
        return "holds"
    return "holds in direction, not in size" if ratio > 1 else "does not hold"


def all_of(figures: Sequence[float], least: Sequence[float]) -> str:
    """Return whether several things hold: each a figure that must be above its least."""
    if any(map(math.isnan, figures)):
        return UNTOLD
    held = [figure > bound for figure, bound in zip(figures, least, strict=True)]
    return "holds" if all(held) else "holds in part" if any(held) else "does not hold"


class Told:
    """Lines about the boxes of figure 4.

    Args:
      boxes: of all runs.
      titles: {role: name of a method}.
    """

    def __init__(self, boxes: Sequence[Box], titles: Mapping[str, str]) -> None:
        self._boxes, self._titles = boxes, titles

    def lines(self) -> list[str]:
        """Return two lines on each panel, and what else has to be known."""
        return [*self._curvature(), *self._decoder(), *self._steps(), *self._remarks()]

    def _curvature(self):
        shown = [f"{self._name(each)} {each.median:.3g}" for each in self._of(EIGENVALUE)]
        ratios = {
            role: self._median(role, EIGENVALUE, "z") / self._median(role, EIGENVALUE, "theta")
            for role in self._titles
            if self._find(role, EIGENVALUE, "z")
        }
        verdicts = [
            f"{self._titles[role]} {ratio:.3g} times, {by_factor(ratio, 100)}"
            for role, ratio in ratios.items()
        ]
        return [
            "(a) Curvature of the summed support loss where adaptation begins: absolute "
            f"eigenvalues of its Hessian, but for zeros; medians: {', '.join(shown)}.",
            "    The paper: two orders of magnitude higher in z than in theta. Here: "
            f"{'; '.join(verdicts)}.",
        ]

    def _decoder(self):
        found = self._of(SINGULAR_VALUE)
        shown = [
            f"{self._titles[each.about.method]} {each.median:.3g}, from {each.at(0):.3g} to "
            f"{each.at(100):.3g} (condition number {_condition(each):.3g})"
            for each in found
        ]
        verdicts = [
            f"{self._titles[each.about.method]} {by_factor(each.median, 10)}" for each in found
        ]
        return [
            "(b) Singular values of the decoder, from a code to the means of a class's weights; "
            f"medians: {'; '.join(shown)}.",
            "    The paper: it expands space by an order of magnitude at least. Here: "
            f"{'; '.join(verdicts)}.",
        ]

    def _steps(self):
        shown = [
            f"{self._name(each)} ({each.about.quantity}) {each.median:.3g}"
            for each in self._boxes
            if each.about.panel == "c"
        ]
        induced = self._median("leo", INDUCED, "theta")
        figures = (
            induced / self._median("leo", STEP, "z"),
            induced / self._median("meta_sgd", STEP, "theta"),
        )
        return [
            f"(c) Lengths of the steps of the inner loops; medians: {', '.join(shown)}.",
            "    The paper: LEO's small steps in z induce larger ones in theta, which are larger "
            f"than Meta-SGD's. Here {figures[0]:.3g} times as long, and {figures[1]:.3g} times "
            f"Meta-SGD's: {all_of(figures, (1, 1))}.",
        ]

    def _remarks(self):
        """Say what is missing, and what cannot be compared."""
        lines = []
        for each in self._boxes:
            what = f"note: {self._name(each)}, {each.about.quantity}"
            if each.not_finite:
                lines.append(
                    f"{what}: {each.not_finite} of {each.tasks} tasks not finite, left out"
                )
            if each.incomplete:
                lines.append(
                    f"{what}: of {each.incomplete} of {each.tasks} tasks only the largest were "
                    "found, so that the box lies too high"
                )
        sizes = {
            self._titles[each.about.method]: each.about.dimensions
            for each in self._of(EIGENVALUE)
            if each.about.space == "theta"
        }
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
            lines.append(
                f"note: theta is not the same space for all ({told} numbers a task), so that "
                "curvature and lengths in it compare with caution"
            )
        return lines

    def _of(self, quantity):
        return [each for each in self._boxes if each.about.quantity == quantity]

    def _find(self, role, quantity, space):
        wanted = role, quantity, space
        return [each for each in self._boxes if each.about[1:4] == wanted]

    def _median(self, role, quantity, space):
        found = self._find(role, quantity, space)
        return found[0].median if found else math.nan

    def _name(self, each):
        return f"{self._titles[each.about.method]} in {each.about.space}"


def _condition(box):
    """Largest singular value over the smallest."""
    return math.inf if box.zeros else box.at(100) / box.at(0)
