"""Evaluate a SavedModel on episodes of a data set.

Usage: python -m leo_tf.evaluate --saved_model=DIR [--dataset=glyphs] [--shot=1] [flags]

Prints the table that leo_tf.run ends with; --json=FILE writes its figures.
"""

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import SPLITS, check_dataset
from leo_tf.console import start_tensorflow

FLAGS = flags.FlagValues()


def define_flags():
    """Define the flags of this command."""

    def define(kind, name, default, meaning, **options):
        kind(name, default, help=meaning, flag_values=FLAGS, **options)

    define(flags.DEFINE_string, "saved_model", None, "folder of the SavedModel, of a run")
    define(flags.DEFINE_string, "dataset", "glyphs", "data set to draw episodes from")
    define(flags.DEFINE_string, "crop", "center", "center or multiview")
    define(flags.DEFINE_string, "data_path", "embeddings", "folder of the data sets")
    define(flags.DEFINE_enum, "split", "test", "meta-set to draw from", enum_values=SPLITS)
    define(flags.DEFINE_integer, "way", 5, "classes in an episode", lower_bound=2)
    define(flags.DEFINE_integer, "shot", 1, "support examples per class", lower_bound=1)
    define(flags.DEFINE_integer, "episodes", 10_000, "episodes to evaluate", lower_bound=1)
    define(flags.DEFINE_integer, "seed", 0, "decides the episodes")
    define(flags.DEFINE_string, "json", None, "file to write the figures to")


define_flags()


def main():
    """Evaluate as the flags say."""
    with command_line.flags_at_fault():
        if not FLAGS.saved_model:
            raise ValueError("--saved_model is missing; give the saved_model folder of a run")
        check_dataset(FLAGS.data_path, FLAGS.dataset, FLAGS.crop, [FLAGS.split])
    start_tensorflow()
    from data_pipeline.datasets import load_split
    from data_pipeline.episodes import check_episode
    from leo_tf.evaluation import default_queries
    from leo_tf.export import load
    from leo_tf.report import table, test_model
    from leo_tf.run_state import write_json

    embeddings = load_split(FLAGS.data_path, FLAGS.dataset, FLAGS.crop, FLAGS.split)
    with command_line.flags_at_fault():
        queries = default_queries(embeddings, FLAGS.shot)
        check_episode(embeddings, FLAGS.way, FLAGS.shot, queries)
    loaded = load(FLAGS.saved_model, embeddings.dim)
    settings = ("dataset", "crop", "split", "way", "shot", "seed")
    result = {name: FLAGS[name].value for name in settings}
    result |= test_model(loaded, embeddings, FLAGS.way, FLAGS.shot, FLAGS.episodes, FLAGS.seed)
    print(table(result))
    if FLAGS.json:
        write_json(FLAGS.json, result)


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
