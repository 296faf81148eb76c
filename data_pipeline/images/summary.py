"""What people are told of embedded pictures: what there is, what is missing, what to do next."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.images.fitting import VIEWS
from data_pipeline.images.listing import Listing
from data_pipeline.images.record import RECORD, Embedded
from data_pipeline.one_line import plain

if TYPE_CHECKING:
    from data_pipeline.images.backbones import Backbone

WAY, QUERIES = 5, 15  # of the run that is proposed, if the data have as many classes and pictures


def plan(listing: Listing, backbone: "Backbone", out: str, views: int) -> str:
    """Return the line that says what will be embedded, by what, and where to."""
    places = f"layer {backbone.layer}" + f", {backbone.grid} x {backbone.grid}" * (
        backbone.grid > 1
    )
    seen = "" if views == 1 else f", {views} views each"
    return (
        f"{len(listing)} pictures, {backbone.size} x {backbone.size}{seen} -> {backbone.name} "
        f"({backbone.weights}), {places}: {backbone.dim}-d -> {Path(out) / VIEWS[views]}"
    )


def lines(record: Embedded) -> Iterator[str]:
    """Yield lines: what was embedded, and whatever is not as it should be."""
    for split, classes in record.counts.items():
        yield f"{split}: {len(classes)} classes, {sum(classes.values())} pictures"
    if record.skipped:
        file, why = next(iter(record.skipped.items()))
        count = len(record.skipped)
        yield f"{count} could not be used and were skipped ({plain(file)}: {why}; all in {RECORD})"
    for name, why in record.left_out.items():
        yield f"class {name!r} was left out: {why}"
    if record.others:
        yield f"{record.others} files beside them are no pictures, to judge by their names"
    if record.shared_example:
        yield (
            f"{record.shared} pictures are in two classes, such as "
            f"{' and '.join(map(plain, record.shared_example))}; leave them out of one"
        )
    if record.rate is not None:
        yield (
            f"{record.embedded_now} pictures in {record.seconds:.1f} s, {record.rate:.1f} a second"
        )


def next_command(record: Embedded) -> str:
    """Return the command that trains on the embeddings, or what keeps them from it."""
    counts = record.counts.values()
    way = min(WAY, *map(len, counts))
    if way < 2:
        return "To train on them, each split must have at least two classes"
    queries = min(QUERIES, min(count for classes in counts for count in classes.values()) - 1)
    folder = record.folder.absolute()
    options = [f"--data_path={folder.parent.parent}", f"--dataset={folder.parent.name}"]
    options += [f"--crop={folder.name}"] if folder.name != "center" else []
    options += [f"--way={way}", "--shot=1", f"--queries={queries}"]
    return f"Next: python -m leo_tf.run {' '.join(map(shlex.quote, options))}"
