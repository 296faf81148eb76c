"""Embed a folder of pictures as a data set.

Usage: python -m leo_tf.embed --images=DIR --out=embeddings/NAME [--backbone=...] [--views=10]

DIR holds the folders train, val and test, and in each a folder for every class; or folders of
classes alone, which are then shared out by --split and --seed; or train.csv, val.csv and test.csv
with the columns filename and label. Pictures are JPEG, PNG, GIF, BMP or WebP; one that cannot be
used is skipped with a line. Stopped or killed, the same command goes on.

--backbone is efficientnet-lite0, wrn-DEPTH-WIDTH (a Wide ResNet, trained on the meta-train classes
unless --weights has one), a name of keras.applications such as ResNet50, or a .keras file or a
SavedModel. Loading one of these last two runs the code in it: take them from whom you trust alone.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line, split_percents
from data_pipeline.images.decode import import_pillow
from data_pipeline.images.picture_folders import SEED, SPLIT, list_pictures
from data_pipeline.seeds import BOUND
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
seeds = {"lower_bound": 0, "upper_bound": BOUND - 1}
define(integer, "seed", None, f"shares the classes out [{SEED}]", **seeds)
define(integer, "batch_size", 32, "pictures that the network gets at a time", lower_bound=1)
define(enum, "layers", None, "all: compare the backbone's layers first", enum_values=["all"])


def main() -> int:
    """Embed as the flags say."""
    with command_line.flags_at_fault():
        for name in ("images", "out"):
            if not FLAGS[name].value:
                raise ValueError(f"--{name} is needed")
        if FLAGS.split:
            split_percents.parse(FLAGS.split)
    import_pillow()
    listing = list_pictures(FLAGS.images, FLAGS.split, FLAGS.seed)
    print(listing, flush=True)
    start_tensorflow()
    from data_pipeline.images import backbones, embedding, summary
    from leo_tf.reports import embedding_card

    backbone = backbones.load(FLAGS.backbone, FLAGS.weights, FLAGS.layer, FLAGS.grid)
    asked = listing, backbone, FLAGS.out, int(FLAGS.views), FLAGS.batch_size
    try:
        record = embedding.embed_pictures(*asked)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from there", file=sys.stderr)
        return 130
    print("\n".join([*summary.lines(record), *embedding_card.write_card(record.folder, record)]))
    print(summary.next_command(record))
    return 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
