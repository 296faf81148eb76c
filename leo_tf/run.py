"""Train LEO, test it and export it.

Usage: python -m leo_tf.run [--dataset=glyphs] [--shot=1] [flags]

Trains on a data set, keeps the best model by meta-validation accuracy, tests it on the
meta-test classes, writes a SavedModel, and reports the result beside the nearest-centroid
baseline and the published numbers. Started again, it goes on where it stopped.
"""

import dataclasses
import sys

from absl import flags

from data_pipeline.datasets import check_dataset
from leo_tf.config import Config, make_config
from leo_tf.console import command, quiet_tensorflow

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "dataset",
    "glyphs",
    "Data set: glyphs, miniImageNet, tieredImageNet, or a folder of your own below --data_path.",
)
flags.DEFINE_string(
    "data_path", "embeddings", "Folder that holds <dataset>/<crop>/<split>_embeddings.pkl."
)
flags.DEFINE_string(
    "run_dir", None, "Folder of the run. Default: runs/<dataset>_<way>way_<shot>shot/seed<seed>."
)

HELP = {
    "crop": "Which embeddings of the images: center or multiview.",
    "way": "Classes in an episode.",
    "shot": "Support examples per class.",
    "seed": "Decides the initial weights, the episodes and the noise.",
    "train_on_val": "Train on train and val together. The last step is then the result.",
    "steps": "Outer steps of training.",
    "validate_every": "Outer steps between two meta-validations, each of which is saved.",
    "validation_episodes": "Episodes of a meta-validation.",
    "test_episodes": "Episodes of the final test.",
    "tasks": "Episodes in a training meta-batch.",
    "queries": "Query examples per class in training.",
    "num_latents": "Size of a latent.",
    "inner_unroll_length": "Steps of the inner loop in latent space.",
    "finetuning_unroll_length": "Steps of the inner loop on the classifier's weights.",
    "inner_lr_init": "Initial step size in latent space; meta-learned.",
    "finetuning_lr_init": "Initial step size on the weights; meta-learned.",
    "outer_lr": "Learning rate of Adam, which takes the outer steps.",
    "dropout_rate": "Share of the embeddings' entries dropped in training.",
    "kl_weight": "Weight of the KL divergence of the latents (beta in the paper).",
    "encoder_penalty_weight": "Weight of the encoder penalty (gamma).",
    "l2_penalty_weight": "Weight of the L2 penalty (lambda_1).",
    "orthogonality_penalty_weight": "Weight of the decoder's orthogonality penalty (lambda_2).",
    "gradient_threshold": "Bound on each entry of a meta-gradient.",
    "gradient_norm_threshold": "Bound on the norm of each variable's meta-gradient.",
}


def define_settings():
    """Define a flag for every field of `Config`; unset ones take the data set's preset."""
    for field in dataclasses.fields(Config):
        if field.name == "dataset":
            continue
        define = {
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            bool: flags.DEFINE_bool,
            str: flags.DEFINE_string,
        }[field.type]
        define(
            field.name,
            None,
            f"{HELP[field.name]} Default: {field.default}, or the data set's preset.",
        )


define_settings()


def configuration():
    """Build the `Config` that the flags ask for; ValueError, one line, if they make no sense."""
    names = [field.name for field in dataclasses.fields(Config)]
    settings = {n: FLAGS[n].value for n in names if n not in ("dataset", "shot")}
    shot = Config.shot if FLAGS.shot is None else FLAGS.shot
    return make_config(FLAGS.dataset, shot, **settings)


def main(argv):
    """Run as the flags say."""
    try:
        if len(argv) > 1:
            raise ValueError(f"unknown argument {argv[1]!r}; flags are written --name=value")
        config = configuration()
        check_dataset(FLAGS.data_path, config.dataset, config.crop)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    run_dir = FLAGS.run_dir or (
        f"runs/{config.dataset}_{config.way}way_{config.shot}shot/seed{config.seed}"
    )
    quiet_tensorflow()
    from leo_tf.report import table
    from leo_tf.training import InterruptedRunError, train_and_test

    for name, value in dataclasses.asdict(config).items():
        print(f"  {name:30} {value}")
    print(f"run folder: {run_dir}", flush=True)
    try:
        result = train_and_test(config, FLAGS.data_path, run_dir)
    except InterruptedRunError as interruption:
        print(f"{interruption}; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"\n{table(result)}\n\nSavedModel: {run_dir}/saved_model\nresult: {run_dir}/result.json")
    return 0


cli = command(main)

if __name__ == "__main__":
    cli()
