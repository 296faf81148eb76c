"""Presets that are asked for by name."""

import dataclasses

import pytest
from absl import flags

from leo_tf.config import config_from_flat, make_config
from leo_tf.config import flags as setting_flags
from leo_tf.config.experiments import EXPERIMENTS
from leo_tf.config.methods import METHODS
from leo_tf.config.presets import NAMED

# The table of the paper's architecture for few-shot regression.
SIZES = {
    "network_hidden": 40,
    "encoder_hidden": 16,
    "relation_hidden": 32,
    "decoder_hidden": 32,
    "num_latents": 16,
}


def test_the_paper_s_sizes_are_a_preset_and_all_else_is_as_without():
    paper = make_config(dataset="sines_and_lines", preset="paper").flat()
    default = make_config(dataset="sines_and_lines").flat()
    assert {name: paper[name] for name in SIZES} == SIZES
    assert {name: v for name, v in paper.items() if default[name] != v}.keys() <= SIZES.keys()
    assert paper != default


def test_what_is_given_overrides_a_preset():
    config = make_config(dataset="sines_and_lines", preset="paper", num_latents=3, steps=7)
    assert (config.settings.num_latents, config.settings.relation_hidden) == (3, 32)
    assert config.experiment.steps == 7


@pytest.mark.parametrize("method", ["leo", "leo_no_finetuning"])
def test_the_paper_s_classifiers_are_what_nobody_has_to_ask_for(method):
    chosen = {"dataset": "tieredImageNet", "shot": 5, "method": method}
    assert make_config(preset="paper", **chosen) == make_config(**chosen)
    assert make_config(preset="paper", **chosen).settings.kl_weight == 1.622811


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"preset": "tuned"}, "preset must be paper, not 'tuned'"),
        ({"preset": ""}, "preset must be paper, not ''"),
        ({"preset": "paper"}, "nothing for this method on glyphs at shot 1, only for miniImageNet"),
        ({"preset": "paper", "dataset": "miniImageNet", "shot": 3}, "on miniImageNet at shot 3,"),
        (
            {"preset": "paper", "dataset": "miniImageNet", "method": "nearest_centroid"},
            "--preset=paper has nothing for this method on miniImageNet at shot 1",
        ),
    ],
)
def test_presets_that_are_not_there_are_refused(settings, line):
    with pytest.raises(ValueError) as caught:
        make_config(**settings)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_named_presets_are_of_settings_that_there_are():
    classification = {entry.file: entry.settings for entry in METHODS.values()}
    regression = {e.file: e.settings for e in EXPERIMENTS["regression"].methods.values()}
    by_file = classification | regression
    for of_files in NAMED.values():
        for file, of_data in of_files.items():
            for values in of_data.values():
                dataclasses.replace(by_file[file](), **values)


def test_help_lists_them_with_their_data_sets():
    values = flags.FlagValues()
    setting_flags.MethodFlags(values, before_own=lambda: None)
    text = values["preset"].help
    assert "paper, for miniImageNet at shot 1 or 5, tieredImageNet at shot 1 or 5, sines" in text


def test_a_preset_sets_the_run_s_folder_apart_and_is_no_setting():
    config = make_config(dataset="sines_and_lines", preset="paper", seed=2)
    assert config.run_dir == "runs/sines_and_lines_paper/seed2"
    assert "preset" not in config.flat()
    assert config_from_flat(config.flat()) == config


def test_what_version_0_1_0_had_fixed_stays_so_in_its_runs():
    new = ("energy_exponent", "maml_steps", "maml_tasks", "maml_lr")
    new += ("maml_inner_steps", "maml_inner_lr", "maml_bound")
    flat = make_config(
        dataset="sines_and_lines",
        generator_steps=40,
        steps=20,
        tasks=4,
        inner_unroll_length=2,
        finetuning_unroll_length=1,
        finetuning_lr_init=0.07,
        finetuning_bound=9.0,
    ).flat()
    old = config_from_flat({name: value for name, value in flat.items() if name not in new})
    assert {name: old.flat()[name] for name in new} == {
        "energy_exponent": 1.0,
        "maml_steps": 60,
        "maml_tasks": 4,
        "maml_lr": 1e-3,
        "maml_inner_steps": 3,
        "maml_inner_lr": 0.07,
        "maml_bound": 9.0,
    }
    assert config_from_flat(flat).flat() == flat
