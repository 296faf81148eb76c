"""Recipes: what each row of the paper's tables is, told once."""

import pytest
from absl import flags

from leo_tf.config import make_config
from leo_tf.config.methods import METHODS
from leo_tf.published.reference import rows
from leo_tf.reports.method_table import PRINTED
from leo_tf.reproduction import recipes
from leo_tf.reproduction.plan import FUNCTIONS

EVERY = recipes.read_all()
UNTRAINED = {"bauer"}  # by steps, so that no protocol could count them


def test_every_row_of_the_papers_tables_has_a_recipe():
    named = {PRINTED[each.method] for each in EVERY.values() if each.is_row}
    assert named >= {row.method for row in rows()} - {"MAML (deeper net)"}
    assert {*EVERY} == {*PRINTED, "leo_multiview", FUNCTIONS}


@pytest.mark.parametrize("method", PRINTED)
def test_a_recipe_is_its_method_by_the_published_protocol_and_nothing_else(method):
    given = {"train_on_val": True} if method in UNTRAINED else {"protocol": "published"}
    for dataset, shot in (("glyphs", 1), ("miniImageNet", 5), ("tieredImageNet", 1)):
        sizes = {"dataset": dataset, "shot": shot, "seed": 4}
        expected = make_config(method=method, **given, **sizes)
        assert EVERY[method].config(**sizes) == expected
    assert METHODS[method].settings.trained == (method not in UNTRAINED)


def test_published_settings_come_from_where_they_are_published():
    config = EVERY["leo"].config(dataset="tieredImageNet", shot=5)
    assert config.settings.kl_weight == 1.622811
    assert config.experiment.steps == 100_000
    assert EVERY[FUNCTIONS].config().settings.decoder_hidden == 32  # of the paper's architecture


def test_what_a_recipe_says_in_words_is_where_its_row_stands():
    words = {(1,): "a row of table 1", (2,): "a row of table 2", (1, 2): "a row of tables 1 and 2"}
    for recipe in EVERY.values():
        first = recipe.path.read_text(encoding="utf-8").splitlines()[0]
        said = words.get((*recipe.tables,), "figure 2")
        assert first.startswith("# ") and said in first, recipe.path


def test_embeddings_of_several_crops_are_of_one_data_set():
    fits = {name: EVERY["leo_multiview"].fits(name) for name in ("miniImageNet", "tieredImageNet")}
    assert fits == {"miniImageNet": True, "tieredImageNet": False}
    assert not EVERY["leo_multiview"].fits("glyphs")
    assert EVERY["leo"].fits("glyphs")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--method=leo\n--kl_wieght=1\n", "leo.flags, line 2: Unknown command line flag"),
        ("--method=maml\n--kl_weight=1\n", "leo.flags, line 2: --kl_weight is a flag of"),
        ("--shot=one\n", "leo.flags, line 1: flag --shot=one"),
        ("--method=loe\n", "did you mean leo?"),
        ("leo\n", "every line is a flag"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told_with_its_line(tmp_path, text, said):
    (tmp_path / "leo.flags").write_text(text, encoding="utf-8")
    with pytest.raises(flags.Error) as error:
        recipes.read_all(tmp_path)
    assert said in str(error.value)


def test_a_folder_without_recipes_is_told(tmp_path):
    with pytest.raises(ValueError, match="has no recipes"):
        recipes.read_all(tmp_path)
