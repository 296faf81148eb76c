"""What the demo can classify, drawings and photos, and which shipped models answer for either.

The models of a kind are those that are shipped under its main model's name, or begin with that:
`glyphs`, `glyphs_leo`, ... A LEO among them is shown step by step.
"""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from data_pipeline import cards
from leo_tf.config.methods import BASELINE
from leo_tf.serving import pretrained
from leo_tf.serving.adaptation import SteppedLEO, is_leo
from leo_tf.serving.few_shot_classifier import FewShotClassifier

MODELS = {"drawings": "glyphs", "photos": "lite0"}  # the main one of each kind


class Method(NamedTuple):
    """What answers, as the page names it."""

    model: str  # as `FewShotClassifier` takes it
    title: str
    accuracy: float | None  # test accuracy of its card, percent
    sizes: str  # of the episodes of that
    calibrated: bool


class Kind:
    """The models that answer for one kind of pictures; they are opened when first asked.

    Args:
      name: of `MODELS`.

    Attributes:
      main: the main model.
      leo: the model that is shown step by step, or None.
      methods: all that answer, LEO first and the baseline last.

    Raises:
      ValueError: one line, if its main model is not shipped.
    """

    def __init__(self, name: str) -> None:
        self.name, self.main = name, MODELS[name]
        self.dim = pretrained.card(self.main)["backbone"]["dim"]
        self.models = _beside(self.main)
        self.leo = next((model for model in self.models if is_leo(model)), None)
        found = [_method(model) for model in self.models]
        if all(pretrained.card(model)["method"] != BASELINE for model in self.models):
            found.append(Method(BASELINE, BASELINE.replace("_", " "), None, "", False))
        self.methods = found
        self._opening = threading.Lock()
        self._stepped: SteppedLEO | None = None

    def embed(self, picture: bytes) -> Any:
        """Embed the bytes of a picture's file: float32 [dim].

        Raises:
          ValueError: one line about the picture, or what is to embed it.
        """
        try:
            return FewShotClassifier(self.main).embed([picture])[0]
        except ValueError as error:
            raise ValueError(str(error).replace("picture 0:", "the picture:", 1)) from None

    @property
    def stepped(self) -> SteppedLEO | None:
        """The LEO that is shown step by step, opened; None where there is none."""
        with self._opening:
            if self._stepped is None and self.leo is not None:
                self._stepped = SteppedLEO(self.leo)
        return self._stepped

    def described(self) -> dict[str, Any]:
        """Return what the page has to know, as JSON has it."""
        return {
            "dim": self.dim,
            "main": self.main,
            "leo": self.leo,
            "methods": [method._asdict() for method in self.methods],
        }


def _beside(main: str) -> list[str]:
    """Return the models of a kind: LEO first, then the main one, the baseline last."""
    of_main = pretrained.card(main)["backbone"]
    found = [
        name
        for name in pretrained.names()
        if name == main or name.startswith(f"{main}_")
        if cards.same(pretrained.card(name)["backbone"], of_main)
    ]
    return sorted(found, key=lambda name: (_rank(name, main), name))


def _rank(name, main):
    if is_leo(name):
        return 0
    return 3 if pretrained.card(name)["method"] == BASELINE else 2 - (name == main)


def _method(model: str) -> Method:
    """Return a shipped model as the page names it."""
    card: Mapping[str, Any] = pretrained.card(model)
    calibrated = bool((card.get("calibration") or {}).get("temperature"))
    sizes = f"{card['way']}-way {card['shot']}-shot"
    return Method(model, card["title"], card.get("test_accuracy"), sizes, calibrated)
