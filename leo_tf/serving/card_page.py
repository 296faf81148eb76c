"""The card of a shipped model as a page in Markdown."""

from collections.abc import Mapping
from typing import Any

from data_pipeline import cards
from leo_tf.config.methods import BASELINE, METHODS, title
from leo_tf.markdown import aligned, escaped
from leo_tf.serving.pretrained import SAVED_MODEL

LEO = "leo"


def page(card: Mapping[str, Any]) -> str:
    """Lay out a card, see `leo_tf.serving.shipping.ship`."""
    parts = [
        f"# {escaped(card['name'])}",
        f"A few-shot classifier, {escaped(card['title'])}, which meta-validation chose (below). It "
        f"takes embeddings of size {card['backbone'].get('dim')} by "
        f"{escaped(cards.title(card['backbone']))}, of any number of classes and examples.",
        _use(card),
        "## Trained on" if _has_learned(card) else "## Chosen on",
        f"{escaped(card['source'])} Licence: {escaped(card['licence'])}. {_use_of_data(card)}",
        "## How good it is",
        _compared(card),
        _notes(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(card):
    name = card["name"]
    return (
        "```python\n"
        "import leo_tf\n\n"
        f'classifier = leo_tf.load_pretrained("{name}")\n'
        "X = classifier.embed(pictures)  # paths, arrays or Pillow's\n"
        "classifier.fit(X, labels).predict(classifier.embed(others))\n"
        "```"
    )


def _has_learned(card):
    """Return whether anything of the model comes from meta-training."""
    return card.get("trained_on") != "-"


def _use_of_data(card):
    """What came of the data: of some methods, the choice and a temperature alone."""
    if _has_learned(card):
        return f"Episodes are {_sizes(card)}."
    return (
        "It has learned nothing from them: it learns from the examples that it is fitted to alone. "
        "They decided between the methods below, and its temperature, in episodes of "
        f"{card['way']} ways and {card['shot']} shot{'s' * (card['shot'] != 1)}."
    )


def _sizes(card):
    way, shot = (card.get(f"train_{size}") or card[size] for size in ("way", "shot"))
    return f"{way}-way {shot}-shot in training, {card['way']}-way {card['shot']}-shot in the test"


def _compared(card):
    """The methods that were compared, the chosen one first, and what needs no training."""
    rows = [
        [
            escaped(each["title"]) + (" (this)" if each["method"] == card["method"] else ""),
            str(len(each["seeds"])),
            f"{each['val_accuracy']:.2f}",
            _figure(each["test_accuracy"], each["test_ci95"]),
        ]
        for each in card["compared"]
    ]
    if all(each["method"] != BASELINE for each in card["compared"]):
        figures = (card.get(f"{BASELINE}_{name}") for name in ("accuracy", "ci95"))
        rows.append([f"{METHODS[BASELINE].title}, no training", "-", "-", _figure(*figures)])
    header = ["method", "seeds", "meta-validation, %", f"{card['split']}, %"]
    return aligned(header, rows, "lrrr")


def _notes(card):
    """What a reader must know of the table."""
    interval = "" if card["ci95"] is None else f" ± {card['ci95']:.2f}"
    notes = [
        f"- The model is that of seed {card['seed']}: {card['val_accuracy']:.2f} % on "
        f"meta-validation, {card['test_accuracy']:.2f}{interval} % on {card['split']} "
        f"({card['test_episodes']} episodes of {card['queries']} queries a class; ± is the 95 % "
        "interval of the mean over the episodes). Meta-validation chose method and seed."
    ]
    leo = next((each for each in card["compared"] if each["method"] == LEO), None)
    if card["method"] != LEO:
        told = "was not among the runs"
        if leo is not None:
            told = f"reached {leo['val_accuracy']:.2f} % and {leo['test_accuracy']:.2f} %"
        notes.append(f"- {title(LEO)} {told}.")
    notes.append(f"- {_calibration(card.get('calibration') or {})}")
    notes.append(f"- {SAVED_MODEL} has {card['bytes'] / 1e6:.1f} MB.")
    return "\n".join(notes)


def _calibration(found):
    if found.get("temperature") is None:
        return f"Its probabilities are not calibrated: {found.get('reason', 'an older run')}."
    before, after = (found[f"expected_calibration_error_{when}"] for when in ("before", "after"))
    return (
        f"Temperature {found['temperature']:.3g}; expected calibration error on other episodes of "
        f"meta-validation {before:.2f} % before, {after:.2f} % after."
    )


def _figure(value, interval):
    if value is None:
        return "-"
    return f"{value:.2f}" if interval is None else f"{value:.2f} ± {interval:.2f}"
