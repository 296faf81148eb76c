"""What a comparison of layers found, and which is better for LEO; needs no TensorFlow."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from data_pipeline.images.listing import Listing
from leo_tf.classification.accuracies import Accuracy
from leo_tf.reports.tables import NONE


class Layer(NamedTuple):
    """A layer's accuracies on held-out classes."""

    name: str
    dim: int
    nearest_centroid: Sequence[Accuracy | None]  # at each shot; None: too few pictures
    leo: Accuracy | None = None  # None: LEO was not trained there
    fault: str = ""  # why nothing was measured


class Comparison(NamedTuple):
    """Layers of a backbone, first to last."""

    layers: Sequence[Layer]
    default: str  # where the backbone is embedded, if nothing else is asked for
    split: str  # that accuracies are of
    way: int
    shots: Sequence[int]  # of nearest centroid
    leo_shot: int
    steps: int  # that LEO was trained for
    sizes: str  # what it was measured on, for people

    @property
    def best(self) -> str:
        """The layer where LEO is best; where it is not finite, it is not."""
        finite = [each for each in self.layers if each.leo and not each.leo.not_finite]
        if not finite:
            return self.default
        return max(finite, key=lambda each: each.leo.mean if each.leo else 0).name

    def verdict(self) -> str:
        """Say which layer is better for LEO, and by how much."""
        found = {each.name: each.leo for each in self.layers if each.leo}
        best, own = found.get(self.best), found.get(self.default)
        if best is None:
            return "LEO was trained at no layer with finite answers: none can be called better."
        if self.best == self.default:
            said = f"{self.default}, the backbone's own layer, is the best for LEO: {best}."
            return said + self._without_training(best)
        if own is None:
            return f"{self.best} is the best for LEO: {best}; {self.default} was not measured."
        near = (best.ci95 or 0) + (own.ci95 or 0) > best.mean - own.mean
        rest = (
            "their intervals overlap, so that it may not be better"
            if near
            else f"embed there by --layer={self.best}"
        )
        said = f"{self.best} is better for LEO than {self.default}: {best} against {own}; {rest}."
        return said + self._without_training(best)

    def _without_training(self, leo):
        """Say so if nearest centroid at some layer is better than LEO at its best."""
        if self.leo_shot not in self.shots:
            return ""
        place = list(self.shots).index(self.leo_shot)
        measured = [(each.nearest_centroid[place], each.name) for each in self.layers]
        found = [(accuracy, name) for accuracy, name in measured if accuracy]
        top, name = max(found, key=lambda each: each[0].mean, default=(leo, ""))
        if top.mean <= leo.mean:
            return ""
        return (
            f" Nearest centroid at {name}, which trains nothing, reaches {top}: more steps, "
            "classes or another method may be needed."
        )

    def how(self) -> str:
        """Say how this was measured."""
        return (
            f"Measured on {self.sizes}. LEO is trained for {self.steps} steps, a fraction of a "
            f"run, at the backbone's own layer and the best ones by nearest centroid."
        )

    def as_json(self) -> dict[str, Any]:
        """Return what card.json holds; accuracies are in percent."""
        return {
            "split": self.split,
            "way": self.way,
            "shots": list(self.shots),
            "leo": {"shot": self.leo_shot, "steps": self.steps},
            "layers": [
                {
                    "layer": each.name,
                    "dim": each.dim,
                    "nearest_centroid": [a and a.mean for a in each.nearest_centroid],
                    "leo": each.leo and each.leo.mean,
                    "leo_ci95": each.leo and each.leo.ci95,
                    "fault": each.fault,
                }
                for each in self.layers
            ],
            "default": self.default,
            "best": self.best,
            "verdict": self.verdict(),
            "how": self.how(),
        }

    def __str__(self) -> str:
        """Lay out the table for people."""
        width = max(5, *(len(each.name) for each in self.layers))
        heads = [f"centroid {shot}-shot" for shot in self.shots]
        heads.append(f"LEO {self.leo_shot}-shot")
        lines = [f"{'layer':{width}}  {'size':>5}  {'  '.join(f'{head:>15}' for head in heads)}"]
        for each in self.layers:
            cells = [_cell(accuracy) for accuracy in (*each.nearest_centroid, each.leo)]
            columns = "  ".join(f"{cell:>15}" for cell in cells)
            lines.append(f"{each.name:{width}}  {each.dim:5}  {columns}")
            if each.fault:
                lines.append(f"{'':{width}}  {each.fault}")
        return "\n".join([*lines, self.how(), self.verdict()])


def check_listing(listing: Listing) -> None:
    """Raise a ValueError, one line, if layers cannot be compared on some pictures."""
    for split in ("train", "val"):
        classes = listing.splits.get(split, {})
        if len(classes) < 2:
            raise ValueError(
                f"{listing.folder}: --layers=all judges on val what was trained on train, and "
                f"{split} has {len(classes)} classes; it takes two at least"
            )


def _cell(accuracy):
    if accuracy is None:
        return NONE
    half = "" if accuracy.ci95 is None else f" ± {accuracy.ci95:.2f}"
    return f"{accuracy.mean:.2f}{half}" + (" !" if accuracy.not_finite else "")
