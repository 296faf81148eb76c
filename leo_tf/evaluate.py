"""Evaluate a SavedModel on episodes of a data set, or predict regression tasks with one.

Usage: python -m leo_tf.evaluate --saved_model=DIR [--dataset=glyphs] [--shot=1,5] [flags]
       python -m leo_tf.evaluate --saved_model=DIR --tasks=FILE.npz --predictions=OUT.npz

The first prints a table for each way and shot; of one, --predictions=FILE.csv tells every query.
The second reads support_x, support_y [tasks, points, 1] and query_x [tasks, n, 1].
"""

from collections.abc import Sequence
from importlib import import_module

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH, SPLITS
from leo_tf.classification import inputs
from leo_tf.config import flags as settings
from leo_tf.config.experiments import Classification, Regression
from leo_tf.regression.task_files import read_tasks, write_predictions
from leo_tf.startup import start_tensorflow
from leo_tf.training.run_folder import RunFolder, about, check_saved_model

DATA = ("dataset", "crop", "seed")
FLAGS = flags.FlagValues()
define, path, integer = command_line.definer(FLAGS), command_line.path, flags.DEFINE_integer
define(path, "saved_model", None, "folder of the SavedModel, of a run")
define(path, "run_dir", None, "folder of a run, instead")
define(path, "data_path", DATA_PATH, "folder of the data sets")
settings.define(FLAGS, DATA, ["classification"])
define(command_line.numbers, "way", None, "classes in an episode, 5,20 for a test of each [5]")
define(command_line.numbers, "shot", None, "support examples per class, likewise [1]")
define(flags.DEFINE_bool, "per_class", False, "tell the accuracy of each class, too")
define(command_line.folder, "tables", None, "folder for this as CSV, and the confusion matrix")
define(flags.DEFINE_bool, "rejection", False, "tell what rejecting unsure answers costs, too")
define(flags.DEFINE_enum, "split", "test", "meta-set to draw from", enum_values=SPLITS)
define(integer, "episodes", Classification.test_episodes, "episodes to evaluate", lower_bound=1)
define(command_line.output, "json", None, "file to write the figures to")
define(path, "tasks", None, "file of regression tasks, .npz")
define(command_line.output, "predictions", None, "all answers: .csv or .npz [samples, tasks, n, 1]")
define(integer, "samples", Regression.test_samples, "networks sampled for a task", lower_bound=1)
flags.mark_flags_as_mutual_exclusive(["saved_model", "run_dir"], flag_values=FLAGS)


def main() -> None:
    """Evaluate or predict as the flags say."""
    with command_line.flags_at_fault():
        inputs.check_output(FLAGS.predictions, FLAGS.tasks, FLAGS.way, FLAGS.shot)
        run = RunFolder(FLAGS.run_dir) if FLAGS.run_dir else None
        config, done = run.read(with_model=True) if run else (None, None)
        told = config.flat() if config else about(FLAGS.saved_model)
        chosen = settings.configuration(FLAGS, DATA, config).experiment
        if not FLAGS.tasks:
            chosen = inputs.shared_out_as(chosen, told)
            asked = inputs.settings_tested(chosen, FLAGS.way, FLAGS.shot)
            inputs.check_there(chosen, FLAGS.data_path, FLAGS.split)
        folder = run.saved_model if run else check_saved_model(FLAGS.saved_model)
    given = FLAGS.tasks and read_tasks(FLAGS.tasks)
    given = given or inputs.load_tested(asked, FLAGS.data_path, FLAGS.split, run, told)
    start_tensorflow()
    from leo_tf.classification.report import report
    from leo_tf.regression.export import load, predict_tasks

    if run and not done:
        import_module(f"leo_tf.{chosen.kind}.experiment").export_best(config, run, FLAGS.data_path)
    if FLAGS.tasks:
        found = predict_tasks(load(folder), given, FLAGS.samples)
        return print(write_predictions(FLAGS.predictions, found))
    wanted = FLAGS.split, FLAGS.per_class, FLAGS.tables, FLAGS.json
    report(folder, asked, FLAGS.episodes, given, *wanted, FLAGS.predictions, FLAGS.rejection)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
