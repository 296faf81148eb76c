"""Measure what LEO, or another method, costs on this machine.

Usage: python -m leo_tf.benchmark [--method=leo] [--shot=1] [--way=5] [--seconds=10] [flags]

Makes synthetic embeddings of the published sizes and measures, on the path that leo_tf.run takes:
the start, an outer step, the pipeline, meta-test, memory. Prints the median and quartiles over
repetitions; --json=FILE writes them.
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.synthetic import RELEASED_SIZES
from leo_tf.config import flags as settings
from leo_tf.config.methods import DEFAULT
from leo_tf.config.settings import check_finite
from leo_tf.performance import benchmark

SIZES = ("way", "shot", "tasks", "queries", "inner_unroll_length", "finetuning_unroll_length")
FLAGS = flags.FlagValues()
define, text = command_line.definer(FLAGS), flags.DEFINE_string
integer = flags.DEFINE_integer
settings.define(FLAGS, SIZES, ["classification"])
define(text, "method", DEFAULT, "what to measure, see python -m leo_tf.methods")
define(integer, "dim", 640, "size of an embedding", lower_bound=1)
define(
    flags.DEFINE_enum,
    "dataset_size",
    "miniImageNet",
    "size of the embeddings, and the hyperparameters",
    enum_values=list(RELEASED_SIZES),
)
define(integer, "classes", None, "classes of either split, instead of those", lower_bound=2)
define(integer, "images", None, "images per class, instead of those", lower_bound=2)
define(flags.DEFINE_float, "seconds", 10.0, "time for each measurement", lower_bound=0)
define(text, "parts", ",".join(benchmark.PARTS), "what to measure")
define(flags.DEFINE_bool, "convert", False, "measure the first conversion of the pickle, too")
define(command_line.path, "data_path", None, "folder to keep the embeddings in [a temporary one]")
define(command_line.output, "json", None, "file to write the figures to")


def main() -> None:
    """Measure as the flags say."""
    with command_line.flags_at_fault():
        check_finite("seconds", FLAGS.seconds)
        command_line.check_folder("data_path", FLAGS.data_path)
        request = benchmark.request(
            settings.configuration(FLAGS, ("method", *SIZES), dataset=FLAGS.dataset_size),
            FLAGS.dim,
            FLAGS.classes,
            FLAGS.images,
            FLAGS.seconds,
            FLAGS.parts.split(","),
        )
    benchmark.run(request, FLAGS.data_path, FLAGS.convert, FLAGS.json)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
