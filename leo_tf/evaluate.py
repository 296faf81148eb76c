"""Evaluate a SavedModel on episodes of a data set, or predict regression tasks with one.

Usage: python -m leo_tf.evaluate --saved_model=DIR [--dataset=glyphs] [--shot=1] [flags]
       python -m leo_tf.evaluate --saved_model=DIR --tasks=FILE.npz --predictions=OUT.npz

The first, for a classifier, prints the table that leo_tf.run ends with; --json=FILE writes its
figures. The second, for a regressor, reads support_x, support_y [tasks, points, 1] and query_x
[tasks, n, 1] from FILE and writes predictions [samples, tasks, n, 1]; of the other flags, it has a
use for --samples alone.
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
    define(flags.DEFINE_string, "tasks", None, "file of regression tasks, .npz")
    define(flags.DEFINE_string, "predictions", None, "file to write the predictions to, .npz")
    define(flags.DEFINE_integer, "samples", 50, "networks sampled for a task", lower_bound=1)


define_flags()


def main():
    """Evaluate or predict as the flags say."""
    with command_line.flags_at_fault():
        if not FLAGS.saved_model:
            raise ValueError("--saved_model is missing; give the saved_model folder of a run")
        if bool(FLAGS.tasks) != bool(FLAGS.predictions):
            raise ValueError("--tasks and --predictions go together; give both or neither")
    if FLAGS.tasks:
        predict()
    else:
        evaluate()


def predict():
    """Predict the queries of a file of regression tasks."""
    from leo_tf.regression_tasks import read_tasks, write_predictions

    tasks = read_tasks(FLAGS.tasks)
    start_tensorflow()
    from leo_tf.regression_export import load, predict_tasks

    predictions = predict_tasks(load(FLAGS.saved_model), tasks, FLAGS.samples)
    write_predictions(FLAGS.predictions, predictions)
    samples, count, points, _ = predictions.shape
    print(f"{FLAGS.predictions}: {samples} samples of {count} tasks at {points} points each")


def evaluate():
    """Evaluate a classifier on episodes of a data set."""
    with command_line.flags_at_fault():
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
