"""Embed a folder of pictures as a data set.

Usage: python -m leo_tf.embed --images=DIR --out=embeddings/NAME [--backbone=...] [--views=10]

DIR holds the folders train, val and test, and in each a folder for every class; or folders of
classes alone, shared out by --split and --seed; or train.csv, val.csv and test.csv with the columns
filename and label. What is no JPEG, PNG, GIF, BMP or WebP, or damaged, is skipped with a line.
Stopped or killed, the same command goes on.

--backbone is efficientnet-lite0; wrn-DEPTH-WIDTH, trained on the meta-train classes or as --weights
has it; glyphs or icons, for drawings; a name of keras.applications; or a .keras file or SavedModel:
loading one of these runs its code, so trust who made it.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.images.decode import import_pillow
from data_pipeline.images.picture_folders import SEED, SPLIT, list_pictures
from leo_tf.startup import start_tensorflow

FLAGS = flags.FlagValues()
define, path, text = command_line.definer(FLAGS), command_line.path, flags.DEFINE_string
integer, enum = flags.DEFINE_integer, flags.DEFINE_enum
define(path, "images", None, "folder of the pictures")
define(command_line.folder, "out", None, "folder of the data set, embeddings/NAME")
define(text, "backbone", "efficientnet-lite0", "the network, see above")
define(path, "weights", None, "file of its weights [its own]")
define(text, "layer", None, "layer that embeds [the backbone's own]")
define(integer, "grid", None, "cells a side the layer is averaged over [mostly 1]", lower_bound=1)
define(enum, "views", "1", "1 (the centre) or 10 (5 crops, mirrored, too)", enum_values=["1", "10"])
define(text, "split", None, f"percent of the classes for train/val/test [{SPLIT}]")
define(integer, "seed", SEED, "shares the classes out; a training's seed, too", lower_bound=0)
define(integer, "batch_size", 32, "pictures that the network gets at a time", lower_bound=1)
define(enum, "layers", None, "all: compare what LEO makes of each layer, too", enum_values=["all"])


def main() -> int:
    """Embed as the flags say."""
    with command_line.flags_at_fault():
        if missing := [f"--{name}" for name in ("images", "out") if not FLAGS[name].value]:
            raise ValueError(f"{' and '.join(missing)} must be given")
    import_pillow()
    print(listing := list_pictures(FLAGS.images, FLAGS.split, FLAGS.seed), flush=True)
    start_tensorflow()
    from data_pipeline.images import embedding, meta_training, summary
    from leo_tf.reports.embedding_card import write_card

    views, network = int(FLAGS.views), (FLAGS.backbone, FLAGS.weights, FLAGS.layer, FLAGS.grid)
    try:
        backbone = meta_training.backbone(listing, FLAGS.out, *network, FLAGS.seed)
        print(summary.plan(listing, backbone, FLAGS.out, views), flush=True)
        layers = _compared(listing, backbone, views) if FLAGS.layers else None
        record = embedding.embed_pictures(listing, backbone, FLAGS.out, views, FLAGS.batch_size)
        print(*summary.lines(record), sep="\n", flush=True)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from there", file=sys.stderr)
        return 130
    print(*write_card(record.folder, record, layers), summary.next_command(record), sep="\n")
    return 0


def _compared(listing, backbone, views):
    from leo_tf.reports.embedding_layers import compare

    return compare(listing, backbone.name, backbone.weights, FLAGS.grid, views, told=print)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
