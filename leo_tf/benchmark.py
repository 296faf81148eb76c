"""Measure what LEO costs on this machine.

Usage: python -m leo_tf.benchmark [--shot=1] [--way=5] [--seconds=10] [flags]

Makes synthetic embeddings of the published sizes and measures, on the path that leo_tf.run takes:
the start, an outer step, the pipeline, meta-test, memory. Prints the median and quartiles over
repetitions; --json=FILE writes them.
"""

import dataclasses
import itertools
import multiprocessing
import tempfile
import time
from pathlib import Path

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import load_split
from data_pipeline.synthetic import RELEASED_SIZES, SplitSize, ensure_pickle, first_load
from leo_tf import machine
from leo_tf.config import Config, check_setting, make_config
from leo_tf.console import start_tensorflow
from leo_tf.timing import figure

FLAGS = flags.FlagValues()
PARTS = ("training", "pipeline", "evaluation", "products")

LABELS = {
    "conversion_seconds": "first conversion of the training pickle",
    "conversion_peak_memory": "  peak memory of that",
    "pickle_size": "  size of the pickle",
    "import_seconds": "start: import of TensorFlow",
    "load_seconds": "  load the training set from the cache",
    "build_seconds": "  build the model",
    "first_batch_seconds": "  first batch",
    "compile_seconds": "  compile, and first outer step",
    "first_step_seconds": "  all of that",
    "load_memory": "  memory that loading takes",
    "step_flops": "matrix products of an outer step",
    "steps_alone_per_second": "compiled outer step alone",
    "step_alone_cpu": "  CPU time a step",
    "fit_first_call_seconds": "fit: first call (compile, and its steps)",
    "outer_steps_per_second": "fit: outer steps, pipeline attached",
    "outer_step_cpu": "  CPU time a step",
    "training_peak_memory": "  peak memory of the process so far",
    "set_resident_memory": "  of the training set, in memory",
    "batches_per_second": "pipeline alone",
    "batch_cpu": "  CPU time a batch",
    "test_queries": "meta-test: queries",
    "tasks_tested_per_second": "meta-test",
    "task_tested_cpu": "  CPU time a task",
    "product_rate": "float32 matrix product, 2048 x 2048",
    "step_share": "  share of it that outer steps reach in fit",
    "peak_memory": "peak memory of the process",
}


def define_flags():
    """Define the flags of this command."""

    def define(kind, name, default, meaning, **options):
        kind(name, default, help=meaning, flag_values=FLAGS, **options)

    integer, text = flags.DEFINE_integer, flags.DEFINE_string
    define(integer, "way", 5, "classes in an episode", lower_bound=2)
    define(integer, "shot", 1, "support examples per class", lower_bound=1)
    define(integer, "tasks", 12, "episodes in a training meta-batch", lower_bound=1)
    define(integer, "queries", 15, "query examples per class in training", lower_bound=1)
    define(integer, "dim", 640, "size of an embedding", lower_bound=1)
    for name in ("inner_unroll_length", "finetuning_unroll_length"):
        define(integer, name, getattr(Config, name), "steps of that inner loop", lower_bound=0)
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
    define(text, "parts", ",".join(PARTS), "what to measure")
    define(flags.DEFINE_bool, "convert", False, "measure the first conversion of the pickle, too")
    define(text, "data_path", None, "folder to keep the embeddings in [a temporary one]")
    define(text, "json", None, "file to write the figures to")


define_flags()


def settings():
    """Check the flags against each other.

    Returns:
      The pair: the `Config` to measure, and {split: `SplitSize`}.

    Raises:
      ValueError: one line, if they make no sense.
    """
    if unknown := set(FLAGS.parts.split(",")) - set(PARTS):
        raise ValueError(f"--parts is of {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    check_setting("seconds", FLAGS.seconds)
    if FLAGS.json and not Path(FLAGS.json).absolute().parent.is_dir():
        raise ValueError(f"--json: there is no folder {Path(FLAGS.json).absolute().parent}")
    names = ("way", "shot", "tasks", "queries", "inner_unroll_length", "finetuning_unroll_length")
    given = {name: FLAGS[name].value for name in names}
    config = make_config(dataset=FLAGS.dataset_size, **given)
    sizes = {}
    for split, size in RELEASED_SIZES[FLAGS.dataset_size].items():
        classes = FLAGS.classes or size.classes
        sizes[split] = SplitSize(
            classes,
            classes * FLAGS.images if FLAGS.images else size.images * classes // size.classes,
        )
        needed = config.shot + (config.queries if split == "train" else 1)
        if classes < config.way:
            raise ValueError(
                f"--way={config.way} is more than the {classes} classes of {split}; "
                "lower it or raise --classes"
            )
        if sizes[split].images // classes < needed:
            raise ValueError(
                f"{split} has {sizes[split].images // classes} images a class, episodes take "
                f"{needed}; lower --shot or --queries, or raise --images"
            )
    return config, sizes


def prepare(data_path, dataset, sizes):
    """Write the pickles and fill the cache, each in a process of its own; returns figures."""
    figures = {}
    for split, size in sizes.items():
        pickle, _ = in_new_process(ensure_pickle, data_path, dataset, split, size, FLAGS.dim)
        anew = FLAGS.convert and split == "train"
        seconds, memory = in_new_process(first_load, data_path, dataset, split, anew)
        if anew:
            figures = {
                "conversion_seconds": figure(seconds, "s"),
                "conversion_peak_memory": figure(memory, "MiB"),
                "pickle_size": figure(pickle.stat().st_size / machine.MIB, "MiB"),
            }
    return figures


def in_new_process(function, *arguments):
    """Call a function in a process of its own.

    Returns:
      The pair: what it returns, and the peak memory of the process in MiB.

    Raises:
      OSError, ValueError: what it raises.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        answer, memory = receiver.recv()
    except EOFError:
        raise OSError(f"{function.__name__} was ended by the system; is memory short?") from None
    finally:
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer, memory


def _answer(sender, function, arguments):
    try:
        answer = function(*arguments)
    except (OSError, ValueError) as error:
        answer = error
    sender.send((answer, machine.peak_memory()))


def measurements(config, load, folder):
    """Measure what --parts asks for.

    Args:
      config: a `Config`.
      load: function from the name of a split to its `EmbeddingSet`.
      folder: an empty folder.

    Yields:
      Dicts of figures, as they come.
    """
    began = time.perf_counter()
    start_tensorflow()
    from leo_tf import measure

    parts, seconds = FLAGS.parts.split(","), FLAGS.seconds
    figures, started = measure.start(config, lambda: load("train"), folder / "first", began)
    yield figures
    train, model, flops = started.train, started.model, None
    if "training" in parts:
        figures = measure.step_alone(started, seconds)
        yield figures
        flops = figures["step_flops"].median
        calls = measure.steps_per_call(1 / figures["steps_alone_per_second"].median, seconds)
        config = dataclasses.replace(config, steps=calls, validate_every=calls)
        fitted, model = measure.fit(config, train, seconds, folder / "fit")
        yield fitted
    if "pipeline" in parts:
        yield measure.pipeline(config, train, seconds)
    if "evaluation" in parts:
        yield measure.evaluation(config, model, load("test"), seconds, folder / "saved_model")
    yield {"peak_memory": figure(machine.peak_memory(), "MiB")}
    if "products" in parts:
        figures = measure.products(seconds)
        yield figures
        if flops:
            reached = flops * fitted["outer_steps_per_second"].median
            share = 100 * reached / figures["product_rate"].median
            yield {"step_share": figure(share, "%")}


def main():
    """Measure as the flags say."""
    with command_line.flags_at_fault():
        config, sizes = settings()
    own = [name for name in ("classes", "images") if FLAGS[name].value]
    dataset = "_".join(
        [FLAGS.dataset_size, *(f"{FLAGS[name].value}{name}" for name in own), f"{FLAGS.dim}d"]
    )
    with tempfile.TemporaryDirectory(prefix="leo_tf_") as temporary:
        data_path = FLAGS.data_path or f"{temporary}/embeddings"
        print(f"{HEADER}\n{'-' * len(HEADER)}", flush=True)
        measured = {}
        for figures in itertools.chain(
            [prepare(data_path, dataset, sizes)],
            measurements(
                config,
                lambda split: load_split(data_path, dataset, "center", split),
                Path(temporary),
            ),
        ):
            measured |= figures
            for name, measurement in figures.items():
                print(row(name, measurement), flush=True)
    report(config, sizes, measured)


HEADER = f"{'':42} {'median':>9}   {'quartiles':>19}  unit"


def row(name, measured):
    """Write a figure as a line of the table."""
    spread = ""
    if measured.repetitions > 1:
        spread = f"{number(measured.low):>9} {number(measured.high):>9}"
    return f"{LABELS[name]:42} {number(measured.median):>9}   {spread:19}  {measured.unit}"


def number(value):
    """Write a number with about four digits."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.4g}".rstrip(".")


def report(config, sizes, measured):
    """Print what was measured and where, and write it if --json says so."""
    described = machine.describe()
    sizes = {split: size._asdict() for split, size in sizes.items()}
    print(
        f"\n{config.way}-way {config.shot}-shot, {config.tasks} tasks of {config.queries} queries "
        f"a class, {FLAGS.dim}-d embeddings, training set of {sizes['train']['classes']} classes "
        f"and {sizes['train']['images']:,} images\n{machine.line(described)}"
    )
    if FLAGS.json:
        from leo_tf.run_state import write_json

        result = {
            "machine": described,
            "settings": {"dim": FLAGS.dim, "seconds": FLAGS.seconds, "splits": sizes}
            | dataclasses.asdict(config),
            "figures": {name: value._asdict() for name, value in measured.items()},
        }
        write_json(FLAGS.json, result)


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
