"""Rebuild the default data, glyphs, from installed fonts: python -m data_pipeline.glyphs.build

Renders the characters, trains a Wide ResNet on the meta-train classes, embeds all images with it,
and writes what `data_pipeline.images.building` names and the list of fonts used (sources.csv).
Equal fonts give equal images; the embeddings differ by how sums are rounded in training.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line, paths
from data_pipeline.glyphs import characters, fonts, images
from data_pipeline.glyphs.packages import PACKAGES
from data_pipeline.images import building, pictures
from data_pipeline.seeds import BOUND

HERE = Path(__file__).parent


def render_all(folder: str | os.PathLike, seed: int = 0) -> dict[str, list[images.Rendered]]:
    """Render every split from the fonts under a folder.

    Args:
      folder: where the fonts are.
      seed: draws which fonts a class gets.

    Returns:
      {split: list of `images.Rendered`}, with progress on stderr.

    Raises:
      FileNotFoundError, ValueError: fonts are missing, or two classes look alike.
    """
    from tqdm import tqdm

    splits = characters.CHARACTERS
    wanted = {ord(character) for split in splits for _, _, character in characters.classes(split)}
    installed = fonts.find_fonts(folder, wanted, lambda paths: tqdm(paths, "reading fonts"))
    rendered = {}
    for split in splits:

        def progress(classes, split=split):
            return tqdm(classes, f"rendering {split}")

        rendered[split] = images.render_split(split, installed, seed, progress)
    pictures.check_distinct(sum(rendered.values(), []))
    return rendered


def _write_sources(path, rendered):
    """Write one line a class: which font files its images come from, in their order."""
    rows = []
    for split, classes in rendered.items():
        for each in classes:
            families = len({font.family for font in each.fonts})
            files = "|".join(font.path.name for font in each.fonts)
            rows.append([split, each.label, each.character, families, files])
    header = ["split", "class", "character", "families", "font files"]
    building.write_table(path, header, rows)


def build(
    folder: str | os.PathLike,
    output: str | os.PathLike,
    seed: int = 0,
    epochs: int = building.EPOCHS,
) -> None:
    """Render, train, embed and write everything, and print what came out.

    Args:
      folder: where the fonts are.
      output: gets what `building` names, and sources.csv.
      seed: integer.
      epochs: passes over the meta-train images.

    Raises:
      FileNotFoundError, ValueError: see `render_all`.
    """
    output = paths.expand(output)
    rendered = render_all(folder, seed)
    output.mkdir(parents=True, exist_ok=True)
    _write_sources(output / "sources.csv", rendered)
    building.write_all(output, "glyphs", rendered, seed, epochs)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    values = flags.FlagValues()
    define = command_line.definer(values)
    integer = flags.DEFINE_integer
    folder = define(command_line.path, "fonts", "/usr/share/fonts", "font folder")
    output = define(command_line.path, "output", str(HERE), "folder to write to")
    seed = define(integer, "seed", 0, "seed of it all", lower_bound=0, upper_bound=BOUND - 1)
    epochs = define(integer, "epochs", building.EPOCHS, "passes of training", lower_bound=1)
    meaning = "only print the Debian packages with the fonts"
    packages = define(flags.DEFINE_bool, "packages", False, meaning)

    def main():
        if packages.value:
            print(" ".join(PACKAGES))
        else:
            with command_line.flags_at_fault():
                command_line.check_folder("output", output.value)
            build(folder.value, output.value, seed.value, epochs.value)

    command_line.run(main, values, __doc__, argv)


if __name__ == "__main__":
    cli()
