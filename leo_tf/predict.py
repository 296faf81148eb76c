"""Classify pictures, or embeddings, by a few examples of each class.

Usage: python -m leo_tf.predict --support=DIR --queries=DIR [--model=RUN] [--html=PAGE.html]

--support has a folder of pictures for every class, and --queries pictures, in folders or not;
where the folders of queries are called as classes, the answers are judged, too. Queries that are
examples themselves are left out, so that with --shot=5 both may be one folder. Pictures are
embedded by the network that the model was trained on, which its card names.

Either may be a file of embeddings instead: .npy, floats [n, dim], with NAME_labels.npy beside it;
.csv, whose first line names the columns: class and file, which may lack, and the numbers; or a
.pkl or .npz of a data set. Labels are needed in --support.

--model is the folder of a run or its saved_model, a model that comes with the code, or a method
without training. Written are each query's class and probability, and the probability of each class.
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.seeds import BOUND
from leo_tf.serving import given, served

FLAGS = flags.FlagValues()
define, path, integer = command_line.definer(FLAGS), command_line.path, flags.DEFINE_integer
define(path, "model", "nearest_centroid", "a run, a SavedModel, a shipped model, or a method")
define(path, "support", None, "the examples: a folder of class folders, or a file")
define(path, "queries", None, "what to classify: a folder, a picture, or a file")
define(path, "out", "predictions.csv", "CSV to write")
define(command_line.output, "html", None, "page to write, the most doubtful pictures first")
define(integer, "shot", None, "examples of each class to learn from [all]", lower_bound=1)
seeds = {"lower_bound": 0, "upper_bound": BOUND - 1}
define(integer, "seed", 0, "decides which, with --shot", **seeds)
bounds = {"lower_bound": 0.0, "upper_bound": 1.0}
meaning = "answer unknown below this probability [never]"
define(flags.DEFINE_float, "reject_below", None, meaning, **bounds)
# NaN is within all bounds.
flags.register_validator("reject_below", lambda x: x == x, "must be from 0 to 1", FLAGS)
meaning = "network that embeds the pictures, as in leo_tf.embed [the model's own]"
define(flags.DEFINE_string, "backbone", None, meaning)
define(path, "weights", None, "file of its weights [where they were when the model was trained]")


def main() -> None:
    """Predict as the flags say."""
    with command_line.flags_at_fault():
        places = [given.check_there(FLAGS[name].value, name) for name in ("support", "queries")]
        command_line.check_file("out", FLAGS.out)
        command_line.check_apart(FLAGS, ("support", "queries"), ("out", "html"))
        served.where(FLAGS.model)
    from leo_tf.serving import prediction, prediction_page, prediction_table

    options = ("shot", "seed", "backbone", "weights", "reject_below")
    asked = {name: FLAGS[name].value for name in options}
    support, queries = map(given.read, places)
    found = prediction.predict(prediction.Asked(FLAGS.model, support, queries, **asked))
    prediction_table.write(found, FLAGS.out)
    for line in prediction_table.lines(found):
        print(line)
    print(FLAGS.out)
    if FLAGS.html:
        prediction_page.write(found, FLAGS.html)
        print(FLAGS.html)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
