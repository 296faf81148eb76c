"""Evaluate a SavedModel on episodes of a data set.

Usage: python -m leo_tf.evaluate --saved_model=DIR [--dataset=glyphs] [--shot=1] [flags]

Prints the table that leo_tf.run ends with; --json=FILE writes its figures.
"""

import sys

from absl import flags

from data_pipeline.datasets import SPLITS, check_dataset
from leo_tf.console import command, quiet_tensorflow

FLAGS = flags.FLAGS

flags.DEFINE_string("saved_model", None, "Folder of the SavedModel, <run_dir>/saved_model.")
flags.DEFINE_string("dataset", "glyphs", "Data set to draw episodes from.")
flags.DEFINE_string("crop", "center", "Which embeddings of the images: center or multiview.")
flags.DEFINE_string(
    "data_path", "embeddings", "Folder that holds <dataset>/<crop>/<split>_embeddings.pkl."
)
flags.DEFINE_enum("split", "test", SPLITS, "Split to draw episodes from.")
flags.DEFINE_integer("way", 5, "Classes in an episode.")
flags.DEFINE_integer("shot", 1, "Support examples per class.")
flags.DEFINE_integer("episodes", 10_000, "Episodes to evaluate.")
flags.DEFINE_integer("seed", 0, "Decides the episodes.")
flags.DEFINE_string("json", None, "File to write the figures to.")


def main(argv):
    """Evaluate as the flags say."""
    try:
        if len(argv) > 1:
            raise ValueError(f"unknown argument {argv[1]!r}; flags are written --name=value")
        if not FLAGS.saved_model:
            raise ValueError("--saved_model is missing; give the saved_model folder of a run")
        for name in ("way", "shot", "episodes"):
            if FLAGS[name].value < 1:
                raise ValueError(f"{name} must be at least 1, not {FLAGS[name].value}")
        check_dataset(FLAGS.data_path, FLAGS.dataset, FLAGS.crop, [FLAGS.split])
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    quiet_tensorflow()
    from data_pipeline.datasets import load_split
    from leo_tf.export import load
    from leo_tf.report import table, test_model
    from leo_tf.run_state import write_json

    embeddings = load_split(FLAGS.data_path, FLAGS.dataset, FLAGS.crop, FLAGS.split)
    loaded = load(FLAGS.saved_model, embeddings.dim)
    result = {
        name: FLAGS[name].value for name in ("dataset", "crop", "split", "way", "shot", "seed")
    }
    result |= test_model(loaded, embeddings, FLAGS.way, FLAGS.shot, FLAGS.episodes, FLAGS.seed)
    print(table(result))
    if FLAGS.json:
        write_json(FLAGS.json, result)
    return 0


cli = command(main)

if __name__ == "__main__":
    cli()
