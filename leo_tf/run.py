"""Train LEO, or another method, test it and export it.

Usage: python -m leo_tf.run [--dataset=glyphs] [--shot=1] [flags]

Trains on a data set, keeps the best model by meta-validation accuracy, tests it on the
meta-test classes, writes a SavedModel, and reports the result beside the nearest-centroid
baseline and the published numbers. Started again, it goes on where it stopped.
--protocol=published finds only the number of steps by that, and tests a new model, which is trained
for as many on train and val together. --seeds=0,1,2 makes a run for each seed, in seed<seed> of
--run_dir if that is given, and a table of all.

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

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH
from leo_tf.config import flags as settings
from leo_tf.startup import start_tensorflow
from leo_tf.studies import protocol, seeds

FLAGS = flags.FlagValues()
define, path = command_line.definer(FLAGS), command_line.path
METHOD_FLAGS = settings.MethodFlags(FLAGS, start_tensorflow)
define(command_line.numbers, "seeds", None, "a run for each, 0,1,2, instead of --seed", least=0)
define(path, "data_path", DATA_PATH, "folder of <dataset>/<crop>/<split>_embeddings.pkl")
define(path, "run_dir", None, "folder of the run [runs/<data set, sizes>/<method>/seed<seed>]")


def main() -> int:
    """Run as the flags say."""
    where = FLAGS.run_dir, FLAGS.data_path, not FLAGS.preset
    runs = [seeds.planned(_configuration, seed, *where) for seed in FLAGS.seeds or [None]]
    stages = protocol.load(*runs[0], FLAGS.data_path)
    seeds.check(runs[1:], FLAGS.data_path)
    print(seeds.announced(runs), flush=True)
    start_tensorflow()
    from leo_tf.training.fit import InterruptedRunError

    try:
        if FLAGS.seeds:
            return seeds.run_each(runs, FLAGS.data_path)
        print(protocol.report(stages[0], protocol.train_and_test(stages)))
    except InterruptedRunError as interruption:
        print(f"{interruption}; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def _configuration(seed, base=None):
    """Return the configuration that the flags ask for, with the seed if there is one."""
    FLAGS.seed = seed if seed is not None else FLAGS.seed
    return METHOD_FLAGS.configuration(base)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    prepare = seeds.checked(METHOD_FLAGS.prepare)
    command_line.run(main, FLAGS, __doc__, argv, prepare=prepare)


if __name__ == "__main__":
    cli()
