"""Models that come with the package: a folder each, named by what they classify."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline import cards

if TYPE_CHECKING:
    from leo_tf.serving.few_shot_classifier import FewShotClassifier

MODELS = Path(__file__).parent / "models"
SAVED_MODEL, CARD, CARD_PAGE = "saved_model", cards.CARD, "card.md"  # in the folder of each


def names(folder: Path | None = None) -> list[str]:
    """Return the names of the models in a folder, by default of those that are shipped."""
    folder = MODELS if folder is None else folder
    if not folder.is_dir():
        return []
    return sorted(path.parent.name for path in folder.glob(f"*/{CARD}"))


def card(name: str) -> dict[str, Any]:
    """Return the card of a shipped model: what it was trained on, and how good it is.

    Raises:
      ValueError: there is no such model, or its card is damaged; one line.
    """
    if name not in names():
        raise ValueError(f"no model called {name!r} is shipped; there are: {there()}")
    return cards.read(MODELS / name) or {}


def there() -> str:
    """Return the names of the shipped models, for a message."""
    return ", ".join(names()) or "none"


def load_pretrained(name: str) -> "FewShotClassifier":
    """Return a shipped model as a scikit-learn estimator, to be fitted to a few examples.

    Args:
      name: such as "glyphs"; `leo_tf.serving.pretrained.names()` are all.

    Raises:
      ValueError: there is no such model; the line tells which there are.
    """
    from leo_tf.serving.few_shot_classifier import FewShotClassifier

    card(name)
    return FewShotClassifier(name)
