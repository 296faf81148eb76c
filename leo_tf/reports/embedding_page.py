"""The card of embeddings as a page in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_pipeline import cards
from leo_tf.config.methods import METHODS
from leo_tf.markdown import escaped
from leo_tf.reports.tables import NONE, Column, Line, Table, half

MOST_SKIPPED = 50  # that the page names


def page(card: Mapping[str, Any], shown: Mapping[str, Sequence[str]], sheet: str) -> str:
    """Lay out a card; every name of a file is escaped.

    Args:
      card: what card.json holds.
      shown: {split: classes} on the sheet, in its order.
      sheet: the file of the sheet.
    """
    every = {split: len(names) for split, names in card["classes"].items()}
    part = {split: len(names) for split, names in shown.items()}
    more = "" if every == part else f" The sheet shows the first {max(part.values())} of a split."
    parts = [
        f"# {escaped(card['dataset'])}",
        f"Embeddings of the pictures in {escaped(card['images'])} by "
        f"{escaped(cards.title(card['backbone']))}. Classes: {escaped(card['how'])}.",
        _classes(card).as_markdown(),
        f"![Samples of each class, a line a class]({sheet})",
        f"Lines of the sheet are the classes below, in their order.{more}",
        *(f"**{split}:** {escaped(', '.join(names))}" for split, names in card["classes"].items()),
        "## How good they are",
        _accuracy(card["accuracy"]).as_markdown(),
        *_layers(card["layers"]),
        "## What made them",
        _backbone(card["backbone"], card["views"]).as_markdown(),
        *_missing(card),
        f"Made by {card['made_by']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _classes(card):
    columns = [Column("split", "l"), Column("classes"), Column("pictures"), Column("of a class")]
    lines = [
        Line([split, str(len(counts)), str(sum(counts.values())), _range(counts.values())])
        for split, counts in card["classes"].items()
    ]
    return Table("Classes and pictures that were embedded", columns, lines)


def _range(counts):
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def _accuracy(found):
    columns = [Column("method", "l"), Column("way"), Column("shot"), Column("accuracy, %")]
    columns += [Column("± 95 %"), Column("episodes"), Column("queries a class")]
    lines = [
        Line(
            [
                METHODS[each["method"]].title,
                str(each["way"]),
                str(each["shot"]),
                NONE if each["accuracy"] is None else f"{each['accuracy']:.2f}",
                half(each["ci95"]),
                str(each["episodes"] or NONE),
                str(each["queries"] or NONE),
            ]
        )
        for each in found["results"]
    ]
    reasons = dict.fromkeys(
        f"{each['shot']} shots are not measured: {each['reason']}"
        for each in found["results"]
        if each["accuracy"] is None
    )
    caption = f"Methods that learn from the support alone, on {found['split']}"
    return Table(caption, columns, lines, list(reasons))


def _layers(found):
    """Return the parts about the layers, none if they were not compared."""
    if not found:
        return []
    columns = [Column("layer", "l"), Column("size")]
    columns += [Column(f"nearest centroid, {shot}-shot") for shot in found["shots"]]
    columns += [Column(f"LEO, {found['leo']['shot']}-shot"), Column("± 95 %")]
    lines = [
        Line(
            [
                each["layer"],
                str(each["dim"]),
                *(_percent(accuracy) for accuracy in each["nearest_centroid"]),
                _percent(each["leo"]),
                half(each["leo_ci95"]),
            ],
            marked=each["layer"] == found["best"],
        )
        for each in found["layers"]
    ]
    faults = [f"{each['layer']}: {each['fault']}" for each in found["layers"] if each["fault"]]
    caption = f"Layers, on {found['split']}, {found['way']}-way, in percent"
    table = Table(caption, columns, lines, faults, found["how"])
    return ["## Which layer", escaped(found["verdict"]), table.as_markdown()]


def _percent(accuracy):
    return NONE if accuracy is None else f"{accuracy:.2f}"


def _backbone(found, views):
    names = {"name": "backbone", "layer": "layer", "grid": "grid", "dim": "size of an embedding"}
    names |= {"size": "pixels a side", "channels": "channels", "fit": "fitted as"}
    names |= {"weights": "weights", "digest": "sha256 of the weights"}
    lines = [Line([title, str(found.get(name, NONE))]) for name, title in names.items()]
    lines.append(Line(["views of a picture, averaged", str(views)]))
    return Table("The network", [Column("what", "l"), Column("value", "l")], lines)


def _missing(card):
    """Return the parts about pictures that are not there."""
    items = [f"class {name}: left out, {why}" for name, why in card["left_out"].items()]
    skipped = [f"{file}: {why}" for file, why in card["skipped"].items()]
    items += skipped[:MOST_SKIPPED]
    if len(skipped) > MOST_SKIPPED:
        items.append(f"and {len(skipped) - MOST_SKIPPED} more, in card.json")
    if card["other_files"]:
        items.append(f"{card['other_files']} files that are no pictures, to judge by their names")
    if card["shared_pictures"]:
        items.append(f"{card['shared_pictures']} pictures are in two classes, byte by byte")
    if not items:
        return ["Every picture was embedded."]
    return ["## What is not as it should be", "\n".join(f"- {escaped(item)}" for item in items)]
