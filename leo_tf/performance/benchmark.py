"""A benchmark: synthetic embeddings of some size, and every measurement that is asked for."""

import contextlib
import dataclasses
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from data_pipeline.datasets import load_split
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.synthetic import RELEASED_SIZES, SplitSize, ensure_pickle, first_load
from leo_tf.config import Config
from leo_tf.performance import machine
from leo_tf.performance.benchmark_report import HEADER, row
from leo_tf.performance.timing import Figure, figure
from leo_tf.startup import start_tensorflow
from leo_tf.training.run_folder import RunFolder, write_json

PARTS = ("training", "pipeline", "evaluation", "products")

Figures = dict[str, Figure]


class Request(NamedTuple):
    """What is to be measured."""

    config: Config
    dataset: str  # name of the synthetic data
    sizes: dict[str, SplitSize]  # of the splits that it takes
    dim: int
    seconds: float  # for each measurement
    parts: Sequence[str]  # of PARTS


def request(
    config: Config,
    dim: int,
    classes: int | None,
    images: int | None,
    seconds: float,
    parts: Sequence[str],
) -> Request:
    """Check what is to be measured.

    Args:
      config: a classification; its data set names the released sizes.
      dim: size of an embedding.
      classes, images: sizes instead of the released ones: classes of a split, images of a class.
      seconds: for each measurement.
      parts: of PARTS.

    Raises:
      ValueError: one line, if it makes no sense.
    """
    if unknown := set(parts) - set(PARTS):
        raise ValueError(f"--parts is of {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    trains = set(parts) & {"training", "pipeline"}
    if trains and not config.settings.trained:
        raise ValueError(
            f"--method={config.method} trains nothing; leave {' and '.join(sorted(trains))} out of "
            "--parts"
        )
    sizes, experiment = {}, config.experiment
    for split in ("train", "test") if "evaluation" in parts else ("train",):
        size = RELEASED_SIZES[experiment.dataset][split]
        chosen = classes or size.classes
        total = chosen * images if images else size.images * chosen // size.classes
        sizes[split] = SplitSize(chosen, total)
        needed = experiment.shot + (experiment.queries if split == "train" else 1)
        if chosen < experiment.way:
            raise ValueError(
                f"--way={experiment.way} is more than the {chosen} classes of {split}; "
                "lower it or raise --classes"
            )
        if total // chosen < needed:
            raise ValueError(
                f"{split} has {total // chosen} images a class, episodes take "
                f"{needed}; lower --shot or --queries, or raise --images"
            )
    own = {"classes": classes, "images": images}
    named = [f"{value}{name}" for name, value in own.items() if value]
    dataset = "_".join([experiment.dataset, *named, f"{dim}d"])
    return Request(config, dataset, sizes, dim, seconds, parts)


def run(request: Request, data_path: str | None, convert: bool, json: str | None) -> None:
    """Measure and print every figure as it comes, then what was measured and where.

    Args:
      request: what to measure.
      data_path: folder to keep the embeddings in; None for a temporary one.
      convert: whether to measure the first conversion of the pickle, too.
      json: file to write the figures to; None for none.
    """
    with tempfile.TemporaryDirectory(prefix="leo_tf_") as temporary:
        data_path = data_path or f"{temporary}/embeddings"
        print(f"{HEADER}\n{'-' * len(HEADER)}", flush=True)
        measured: Figures = {}
        with contextlib.closing(_measurements(request, data_path, convert, temporary)) as coming:
            for figures in coming:
                measured |= figures
                for name, measurement in figures.items():
                    print(row(name, measurement), flush=True)
    _report(request, measured, json)


def prepare(request: Request, data_path: str | os.PathLike, convert: bool) -> Figures:
    """Write the pickles and fill the cache, each in a process of its own."""
    figures = {}
    for split, size in request.sizes.items():
        where = data_path, request.dataset, split
        pickle, _ = in_new_process(ensure_pickle, *where, size, request.dim)
        anew = convert and split == "train"
        seconds, memory = in_new_process(first_load, *where, anew)
        if anew:
            figures = {
                "conversion_seconds": figure(seconds, "s"),
                "conversion_peak_memory": figure(memory, "MiB"),
                "pickle_size": figure(pickle.stat().st_size / machine.MIB, "MiB"),
            }
    return figures


def in_new_process(function: Callable, *arguments: Any) -> tuple[Any, float]:
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


def _measurements(request, data_path, convert, folder) -> Generator[Figures, None, None]:
    """Yield the figures of every part that is asked for, as they come."""
    yield prepare(request, data_path, convert)
    began = time.perf_counter()
    start_tensorflow()
    from leo_tf.performance import measure

    def load(split) -> EmbeddingSet:
        return load_split(data_path, request.dataset, "center", split)

    config, parts, seconds = request.config, request.parts, request.seconds
    folder = RunFolder(folder)
    figures, started = measure.start(config, lambda: load("train"), folder.of("first"), began)
    yield figures
    flops, classifier = None, started.classifier
    if "training" in parts:
        figures = measure.step_alone(started, seconds)
        yield figures
        flops = figures["step_flops"].median
        calls = measure.steps_per_call(1 / figures["steps_alone_per_second"].median, seconds)
        experiment = dataclasses.replace(config.experiment, steps=calls, validate_every=calls)
        config = dataclasses.replace(config, experiment=experiment)
        fitted, classifier = measure.fit(config, started.train, seconds, folder.of("fit"))
        yield fitted
    if "pipeline" in parts:
        yield measure.pipeline(config, started, seconds)
    if "evaluation" in parts:
        test, saved_model = load("test"), folder.saved_model
        yield measure.evaluation(config, classifier, test, seconds, saved_model)
    yield {"peak_memory": figure(machine.peak_memory(), "MiB")}
    if "products" in parts:
        figures = measure.products(seconds)
        yield figures
        if flops:
            reached = flops * fitted["outer_steps_per_second"].median
            share = 100 * reached / figures["product_rate"].median
            yield {"step_share": figure(share, "%")}


def _report(request, measured, json):
    """Print what was measured and where, and write it to a file if there is one."""
    described, experiment = machine.describe(), request.config.experiment
    sizes = {split: size._asdict() for split, size in request.sizes.items()}
    print(
        f"\n{experiment.way}-way {experiment.shot}-shot, {experiment.tasks} tasks of "
        f"{experiment.queries} queries a class, {request.dim}-d embeddings, training set of "
        f"{sizes['train']['classes']} classes and {sizes['train']['images']:,} images\n"
        f"{machine.line(described)}"
    )
    if json:
        asked = {"dim": request.dim, "seconds": request.seconds, "splits": sizes}
        result = {
            "machine": described,
            "settings": asked | request.config.flat(),
            "figures": {name: value._asdict() for name, value in measured.items()},
        }
        write_json(json, result)
