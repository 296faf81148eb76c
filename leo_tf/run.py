"""Train LEO, test it and export it.

Usage: python -m leo_tf.run [--dataset=glyphs] [--shot=1] [flags]

Trains on a data set, keeps the best model by meta-validation accuracy, tests it on the
meta-test classes, writes a SavedModel, and reports the result beside the nearest-centroid
baseline and the published numbers. Started again, it goes on where it stopped.

With --dataset=sines_and_lines, it trains LEO and MAML on few-shot regression instead, and reports
errors beside the exact limit. No data are read then: the tasks are drawn.

A default [in brackets] gives way to the published value for miniImageNet and tieredImageNet at
1 and 5 shots, and to the tuned one for glyphs. [a; b] is the default of classification and that of
sines_and_lines; where one is -, that kind of run has no such flag and refuses it.
"""

import dataclasses
import sys

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import check_dataset
from leo_tf.config import REGRESSION, Config, RegressionConfig, make_config
from leo_tf.console import start_tensorflow

FLAGS = flags.FlagValues()

HELP = {
    "dataset": "data set: glyphs, miniImageNet, tieredImageNet, your own folder in data_path, or "
    "sines_and_lines for regression",
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
    "generator_steps": "outer steps without inner loops, from which the others start",
    "test_samples": "networks sampled for a task of the final test",
    "generator_tasks": "tasks in a meta-batch without inner loops",
    "generator_samples": "networks sampled for each of these",
    "samples": "networks sampled for a task in training",
    "points": "support points of a task",
    "network_hidden": "units of the hidden layers of the generated network",
    "encoder_hidden": "units of the encoder's hidden layers",
    "relation_hidden": "units of the relation network's hidden layers",
    "decoder_hidden": "units of the decoder's hidden layers",
    "input_scale": "factor on the points that the encoder sees",
    "inner_bound": "gradient norm at which a latent step reaches half its greatest length",
    "finetuning_bound": "the same for the steps on the weights",
    "generator_lr": "learning rate of Adam without inner loops",
    "warmup_steps": "steps in which the learning rate rises, before it falls as a cosine",
}


def settings():
    """Fields of both kinds of configuration, by name; those of classification first."""
    kinds = (RegressionConfig, Config)
    by_name = {field.name: field for kind in kinds for field in dataclasses.fields(kind)}
    order = [field.name for kind in reversed(kinds) for field in dataclasses.fields(kind)]
    return {name: by_name[name] for name in dict.fromkeys(order)}


def default(name):
    """Write the default of a setting, or both if they differ, for `--help`."""
    kinds = (Config, RegressionConfig)
    defaults = [str(getattr(kind, name, "-")) for kind in kinds]
    return defaults[0] if name in ("dataset",) else "; ".join(dict.fromkeys(defaults))


def define_flags():
    """Define a flag for every setting; unset ones take the data set's preset."""
    defines = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_bool,
        str: flags.DEFINE_string,
    }
    for name, field in settings().items():
        meaning = f"{HELP[name]} [{default(name)}]"
        defines[field.type](name, None, meaning, flag_values=FLAGS)
    flags.DEFINE_string(
        "data_path",
        "embeddings",
        "folder of <dataset>/<crop>/<split>_embeddings.pkl",
        flag_values=FLAGS,
    )
    flags.DEFINE_string(
        "run_dir",
        None,
        "folder of the run [runs/<dataset>_<way>way_<shot>shot/seed<seed>, or "
        "runs/sines_and_lines/seed<seed>]",
        flag_values=FLAGS,
    )


define_flags()


def configuration():
    """Build the configuration that the flags ask for; ValueError if they make no sense."""
    return make_config(**{name: FLAGS[name].value for name in settings()})


def main():
    """Run as the flags say."""
    with command_line.flags_at_fault():
        config = configuration()
        if config.dataset != REGRESSION:
            check_dataset(FLAGS.data_path, config.dataset, config.crop)
    run_dir = FLAGS.run_dir or default_folder(config)
    start_tensorflow()
    from leo_tf.training import InterruptedRunError

    for name, value in dataclasses.asdict(config).items():
        print(f"  {name:30} {value}")
    print(f"run folder: {run_dir}", flush=True)
    run = regression if config.dataset == REGRESSION else classification
    try:
        table = run(config, run_dir)
    except InterruptedRunError as interruption:
        print(f"{interruption}; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"\n{table}\n\nSavedModel: {run_dir}/saved_model\nresult: {run_dir}/result.json")
    return 0


def default_folder(config):
    """Name a run's folder after what sets it apart."""
    name = config.dataset
    if config.dataset != REGRESSION:
        name += f"_{config.way}way_{config.shot}shot"
    return f"runs/{name}/seed{config.seed}"


def classification(config, run_dir):
    """Train, test and export a classifier; returns the table of its result."""
    from leo_tf.report import table
    from leo_tf.training import check_sizes, load_splits, train_and_test

    splits = load_splits(config, FLAGS.data_path)
    with command_line.flags_at_fault():
        check_sizes(config, splits)
    for name, split in splits._asdict().items():
        print(f"{name}: {split}", flush=True)
    return table(train_and_test(config, splits, run_dir))


def regression(config, run_dir):
    """Train, test and export a regressor; returns the table of its result."""
    from leo_tf.regression_report import table
    from leo_tf.regression_training import train_and_test

    return table(train_and_test(config, run_dir))


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
