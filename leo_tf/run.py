"""Train LEO, or another method, test it and export it.

Usage: python -m leo_tf.run [--dataset=glyphs] [--shot=1] [flags]

Trains on a data set, keeps the best model by meta-validation accuracy, tests it on the
meta-test classes, writes a SavedModel, and reports the result beside the nearest-centroid
baseline and the published numbers. Started again, it goes on where it stopped.

With --dataset=sines_and_lines, it trains LEO and MAML on few-shot regression instead, and reports
errors beside the exact limit. No data are read then: the tasks are drawn. With
--experiment=regression and another --dataset, it reads functions from train.npz, val.npz and
test.npz in that folder of data_path: arrays x and y [functions, points, 1], both roughly within
[-5, 5], as those of sines and lines are; scale others first.

A default [in brackets] gives way to the published value for miniImageNet and tieredImageNet at
1 and 5 shots, and to a tuned one where there is one, as for glyphs; --preset=paper asks for the
paper's settings by name, and other flags still override them. [a; b] is the default of
classification and that of sines_and_lines; where one is -, that kind of run has no such flag.
--method=NAME --help shows the flags of another method; python -m leo_tf.methods lists them all.
"""

import importlib
import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH
from leo_tf.config import flags as settings
from leo_tf.startup import start_tensorflow
from leo_tf.training.claims import check
from leo_tf.training.run_folder import RunFolder

FLAGS = flags.FlagValues()
define, path = command_line.definer(FLAGS), command_line.path
METHOD_FLAGS = settings.MethodFlags(FLAGS, start_tensorflow)
define(path, "data_path", DATA_PATH, "folder of <dataset>/<crop>/<split>_embeddings.pkl")
define(path, "run_dir", None, "folder of the run [runs/<data set, sizes>/<method>/seed<seed>]")


def main() -> int:
    """Run as the flags say."""
    with command_line.flags_at_fault():
        config = METHOD_FLAGS.configuration()
    folder = RunFolder(FLAGS.run_dir or config.run_dir)
    older = None if FLAGS.preset else folder.older()
    with command_line.flags_at_fault():
        config = METHOD_FLAGS.configuration(older)
        inputs = importlib.import_module(f"leo_tf.{config.experiment.kind}.inputs")
        inputs.check_there(config.experiment, FLAGS.data_path)
    splits = inputs.load(config, FLAGS.data_path)
    check(folder, config, splits and splits.digests())
    for name, value in config.flat().items():
        print(f"  {name:30} {value}")
    print(f"run folder: {folder}", flush=True)
    start_tensorflow()
    from leo_tf.training.fit import InterruptedRunError

    experiment, result = (
        importlib.import_module(f"leo_tf.{config.experiment.kind}.{name}")
        for name in ("experiment", "result")
    )
    try:
        found = experiment.train_and_test(config, folder, splits)
    except InterruptedRunError as interruption:
        print(f"{interruption}; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"\n{result.table(found)}\n\nSavedModel: {folder.saved_model}\nresult: {folder.result}")
    return 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv, prepare=METHOD_FLAGS.prepare)


if __name__ == "__main__":
    cli()
