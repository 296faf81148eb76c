"""Rebuild the data set icons from @iconify/json: python -m data_pipeline.icons.build

Draws the concepts that at least 20 icon sets have, trains a Wide ResNet on the meta-train ones,
embeds all pictures with it, and writes what `data_pipeline.images.building` names, the list of
icons used (sources.csv) and that of their sets and licences (licences.csv).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line, paths
from data_pipeline.icons import concepts, draw, package
from data_pipeline.images import building
from data_pipeline.seeds import BOUND

HERE = Path(__file__).parent
CLASSES = 440  # what 12 MB hold
SHEET_COLUMNS = 6
TARBALL = f"iconify-json-{package.VERSION}.tgz"


def draw_all(
    sets: Sequence[package.IconSet], brands: set[str], seed: int = 0, classes: int = CLASSES
) -> dict[str, list[draw.Drawn]]:
    """Draw the concepts of every split, with progress on stderr.

    Args:
      sets, brands: from `package.read`.
      seed: draws pictures and splits.
      classes: how many concepts, the most drawn ones, are wanted.

    Returns:
      {split: its classes}.

    Raises:
      ValueError: there are fewer concepts.
    """
    from tqdm import tqdm

    found = concepts.find_concepts(sets, brands)
    pictures = (
        draw.draw_concept(concept, by_set, seed=seed)
        for concept, by_set in tqdm(found.items(), "drawing")
    )
    kept = draw.leave_out_alike((each for each in pictures if each), classes)
    if len(kept) < classes:
        raise ValueError(f"{len(kept)} concepts of different pictures, {classes} are wanted")
    by_label = {each.label: each for each in kept}
    splits = concepts.split_concepts(by_label, seed)
    return {split: [by_label[label] for label in labels] for split, labels in splits.items()}


def build(
    tarball: str | os.PathLike,
    output: str | os.PathLike,
    seed: int = 0,
    epochs: int = building.EPOCHS,
) -> None:
    """Draw, train, embed and write everything, and print what came out.

    Args:
      tarball: the npm package; see `package.read`.
      output: gets what `building` names, sources.csv and licences.csv.
      seed: integer.
      epochs: passes over the meta-train pictures.

    Raises:
      FileNotFoundError, ValueError: the package is missing or another one.
    """
    sets, brands = package.read(tarball)
    drawn = draw_all(sets, brands, seed)
    output = paths.expand(output)
    output.mkdir(parents=True, exist_ok=True)
    rows, used = [], set()
    for split, classes in drawn.items():
        for each in classes:
            names = [f"{icon.set_name}:{icon.name}" for icon in each.icons]
            rows.append([split, each.label, "|".join(names)])
            used |= {icon.set_name for icon in each.icons}
    building.write_table(output / "sources.csv", ["split", "class", "icons"], rows)
    told = [[s.name, s.title, s.author, s.licence, s.url] for s in sets if s.name in used]
    building.write_table(
        output / "licences.csv", ["set", "title", "author", "licence", "url"], told
    )
    building.write_all(output, "icons", drawn, seed, epochs, SHEET_COLUMNS)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    values = flags.FlagValues()
    define = command_line.definer(values)
    integer = flags.DEFINE_integer
    tarball = define(command_line.path, "package", TARBALL, f"what {package.INSTALL!r} saves")
    output = define(command_line.path, "output", str(HERE), "folder to write to")
    seed = define(integer, "seed", 0, "seed of it all", lower_bound=0, upper_bound=BOUND - 1)
    epochs = define(integer, "epochs", building.EPOCHS, "passes of training", lower_bound=1)

    def main():
        with command_line.flags_at_fault():
            command_line.check_folder("output", output.value)
        build(tarball.value, output.value, seed.value, epochs.value)

    command_line.run(main, values, __doc__, argv)


if __name__ == "__main__":
    cli()
