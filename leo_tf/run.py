"""Train LEO, test it and export it.

Usage: python -m leo_tf.run [--dataset=glyphs] [--shot=1] [flags]

Trains on a data set, keeps the best model by meta-validation accuracy, tests it on the
meta-test classes, writes a SavedModel, and reports the result beside the nearest-centroid
baseline and the published numbers. Started again, it goes on where it stopped.

A default [in brackets] gives way to the published value for miniImageNet and tieredImageNet at
1 and 5 shots, and to the tuned one for glyphs.
"""

import dataclasses
import sys

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import check_dataset
from leo_tf.config import Config, make_config
from leo_tf.console import start_tensorflow

FLAGS = flags.FlagValues()

HELP = {
    "dataset": "data set: glyphs, miniImageNet, tieredImageNet, or your own folder in data_path",
    "crop": "which embeddings of the images: center or multiview",
    "way": "classes in an episode",
    "shot": "support examples per class",
    "seed": "decides the initial weights, the episodes and the noise",
    "train_on_val": "train on train and val together. The last step is then the result",
    "steps": "outer steps of training",
    "validate_every": "outer steps between two meta-validations, each of which is saved",
    "validation_episodes": "episodes of a meta-validation",
    "test_episodes": "episodes of the final test",
    "tasks": "episodes in a training meta-batch",
    "queries": "query examples per class in training",
    "num_latents": "size of a latent",
    "inner_unroll_length": "steps of the inner loop in latent space",
    "finetuning_unroll_length": "steps of the inner loop on the classifier's weights",
    "inner_lr_init": "initial step size in latent space; meta-learned",
    "finetuning_lr_init": "initial step size on the weights; meta-learned",
    "outer_lr": "learning rate of Adam, which takes the outer steps",
    "dropout_rate": "share of the embeddings' entries dropped in training",
    "kl_weight": "weight of the KL divergence of the latents (beta in the paper)",
    "encoder_penalty_weight": "weight of the encoder penalty (gamma)",
    "l2_penalty_weight": "weight of the L2 penalty (lambda_1)",
    "orthogonality_penalty_weight": "weight of the decoder's orthogonality penalty (lambda_2)",
    "gradient_threshold": "bound on each entry of a meta-gradient",
    "gradient_norm_threshold": "bound on the norm of each variable's meta-gradient",
}


def define_flags():
    """Define a flag for every field of `Config`; unset ones take the data set's preset."""
    defines = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_bool,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(Config):
        meaning = f"{HELP[field.name]} [{field.default}]"
        defines[field.type](field.name, None, meaning, flag_values=FLAGS)
    flags.DEFINE_string(
        "data_path",
        "embeddings",
        "folder of <dataset>/<crop>/<split>_embeddings.pkl",
        flag_values=FLAGS,
    )
    flags.DEFINE_string(
        "run_dir",
        None,
        "folder of the run [runs/<dataset>_<way>way_<shot>shot/seed<seed>]",
        flag_values=FLAGS,
    )


define_flags()


def configuration():
    """Build the `Config` that the flags ask for; ValueError, one line, if they make no sense."""
    names = [field.name for field in dataclasses.fields(Config)]
    return make_config(**{name: FLAGS[name].value for name in names})


def main():
    """Run as the flags say."""
    with command_line.flags_at_fault():
        config = configuration()
        check_dataset(FLAGS.data_path, config.dataset, config.crop)
    run_dir = FLAGS.run_dir or (
        f"runs/{config.dataset}_{config.way}way_{config.shot}shot/seed{config.seed}"
    )
    start_tensorflow()
    from leo_tf.report import table
    from leo_tf.training import InterruptedRunError, check_sizes, load_splits, train_and_test

    for name, value in dataclasses.asdict(config).items():
        print(f"  {name:30} {value}")
    print(f"run folder: {run_dir}", flush=True)
    splits = load_splits(config, FLAGS.data_path)
    with command_line.flags_at_fault():
        check_sizes(config, splits)
    for name, split in splits._asdict().items():
        print(f"{name}: {split}", flush=True)
    try:
        result = train_and_test(config, splits, run_dir)
    except InterruptedRunError as interruption:
        print(f"{interruption}; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"\n{table(result)}\n\nSavedModel: {run_dir}/saved_model\nresult: {run_dir}/result.json")
    return 0


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
