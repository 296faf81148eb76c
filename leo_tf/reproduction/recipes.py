"""Recipes: files of flags, each a row of the paper's tables, or the run of a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from data_pipeline import flag_files
from data_pipeline.datasets import RELEASED
from leo_tf.config import Config, make_config
from leo_tf.config.experiments import Classification
from leo_tf.config.flags import MethodFlags
from leo_tf.config.methods import METHODS
from leo_tf.reports.accuracy_tables import tables_of
from leo_tf.reports.method_table import PRINTED
from leo_tf.startup import start_tensorflow

FOLDER = (Path(__file__).parents[1] / "paper").resolve()  # a link to runs/paper, in the repository
CENTER = "center"


class Recipe(NamedTuple):
    """What a row is: flags that `leo_tf.run --flagfile` takes just as well."""

    name: str  # of its file
    path: Path
    given: Mapping[str, Any]  # what its flags say

    def config(self, **more: Any) -> Config:
        """Return the configuration of a run with further flags, which count instead of its own.

        Raises:
          ValueError: one line, if they make no sense together.
        """
        try:
            return make_config(**{**self.given, **more})
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    @property
    def method(self) -> str:
        """The value of --method."""
        return self.config().method

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table."""
        return self.config().experiment.kind == Classification.kind

    @property
    def tables(self) -> list[int]:
        """The numbers of the paper's tables that it is a row of; another crop is of the first."""
        return tables_of(self.method)[: None if self.crop == CENTER else 1] if self.is_row else []

    @property
    def crop(self) -> str:
        """Which embeddings it is of."""
        return str(self.given.get("crop", CENTER))

    def fits(self, dataset: str) -> bool:
        """Whether there is such a row for a data set: another crop only where it was released."""
        return self.crop == CENTER or self.crop in RELEASED.get(dataset, ())


def read_all(folder: Path = FOLDER) -> dict[str, Recipe]:
    """Read the recipes of a folder, {name: recipe}, in the order of the paper's tables.

    Raises:
      flags.Error: one line, with the file and its line, if one cannot be read.
      ValueError: one line, if there are none.
    """
    found = [_read(path) for path in sorted(folder.glob("*.flags"))]
    if not found:
        raise ValueError(f"{folder}: has no recipes, *.flags; they come with the code")
    order = {method: i for i, method in enumerate(PRINTED)}
    found.sort(key=lambda each: order.get(each.given.get("method"), len(order)))
    return {each.name: each for each in found}


def _read(path):
    """Read a recipe."""
    values = flags.FlagValues()
    of_method = MethodFlags(values, start_tensorflow)
    flag_files.read(path, values, of_method.prepare)
    chosen = {name: values[name].value for name in ("experiment", "method", "preset")}
    given = {name: value for name, value in chosen.items() if value is not None}
    return Recipe(path.stem, path, {**given, **of_method.asked()})


def title(recipe: Recipe) -> str:
    """Name a recipe for people."""
    if not recipe.is_row:
        return recipe.name
    return METHODS[recipe.method].title + ("" if recipe.crop == CENTER else f" ({recipe.crop})")
