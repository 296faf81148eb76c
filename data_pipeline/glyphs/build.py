"""Rebuild the default data, glyphs, from installed fonts: python -m data_pipeline.glyphs.build

Renders the characters, trains a Wide ResNet on the meta-train classes, embeds all images with it,
and writes the embeddings, the list of fonts used (sources.csv) and the sample sheet (sheet.png).
Equal fonts give equal images, and equal embeddings on equal machines.
"""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from data_pipeline import atomic, command_line, paths, released_format
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.glyphs import characters, features, fonts, images
from data_pipeline.glyphs.packages import PACKAGES
from data_pipeline.seeds import BOUND

HERE = Path(__file__).parent
LARGEST_TOTAL = 12_000_000


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
    images.check_distinct(sum(rendered.values(), []))
    return rendered


def embed_all(
    rendered: Mapping[str, list[images.Rendered]], seed: int = 0, epochs: int = features.EPOCHS
) -> dict[str, EmbeddingSet]:
    """Train on the meta-train images and embed those of every split.

    Args:
      rendered: {split: list of `images.Rendered`}.
      seed: of weights, order and augmentation.
      epochs: passes over the meta-train images.

    Returns:
      {split: `EmbeddingSet`}.
    """
    train = rendered["train"]
    labels = np.repeat(np.arange(len(train)), [len(each.images) for each in train])
    network = features.train(np.concatenate([each.images for each in train]), labels, seed, epochs)
    everything: list[images.Rendered] = sum(rendered.values(), [])
    rows = features.embed(network, np.concatenate([each.images for each in everything]))
    ends = np.cumsum([len(each.images) for each in everything])
    by_label = dict(zip([each.label for each in everything], np.split(rows, ends), strict=False))
    return {
        split: EmbeddingSet.from_arrays(
            {each.label: by_label[each.label] for each in classes}, split
        )
        for split, classes in rendered.items()
    }


def _write_sources(path, rendered):
    """Write one line a class: which font files its images come from, in their order."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["split", "class", "character", "families", "font files"])
    for split, classes in rendered.items():
        for each in classes:
            families = len({font.family for font in each.fonts})
            files = "|".join(font.path.name for font in each.fonts)
            table.writerow([split, each.label, each.character, families, files])
    with atomic.writer(path) as file:
        file.write(text.getvalue().encode())


def _write_sheet(path, rendered):
    """Write the sample sheet: a row of images a class, black on white."""
    from PIL import Image

    sheet = Image.fromarray(images.sheet(sum(rendered.values(), [])))
    buffer = io.BytesIO()
    sheet.quantize(16).save(buffer, "PNG", optimize=True)
    with atomic.writer(path) as file:
        file.write(buffer.getvalue())


def build(
    folder: str | os.PathLike,
    output: str | os.PathLike,
    seed: int = 0,
    epochs: int = features.EPOCHS,
) -> None:
    """Render, train, embed and write everything, and print what came out.

    Args:
      folder: where the fonts are.
      output: gets embeddings/glyphs/center/<split>_embeddings.pkl, sources.csv and sheet.png.
      seed: integer.
      epochs: passes over the meta-train images.

    Raises:
      FileNotFoundError, ValueError: see `render_all`.
    """
    output = paths.expand(output)
    rendered = render_all(folder, seed)
    target = output / "embeddings/glyphs/center"
    target.mkdir(parents=True, exist_ok=True)
    _write_sources(output / "sources.csv", rendered)
    _write_sheet(output / "sheet.png", rendered)
    total = 0
    for split, embeddings in embed_all(rendered, seed, epochs).items():
        path = target / f"{split}_embeddings.pkl"
        released_format.write(path, embeddings, split, np.float16)
        total += path.stat().st_size
        print(
            f"{path}: {embeddings.num_classes} classes, {len(embeddings)} images, "
            f"dim {embeddings.dim}"
        )
    if total > LARGEST_TOTAL:
        raise ValueError(f"{target}: {total} bytes; at most {LARGEST_TOTAL} are to be committed")


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    values = flags.FlagValues()
    define = command_line.definer(values)
    integer = flags.DEFINE_integer
    folder = define(command_line.path, "fonts", "/usr/share/fonts", "font folder")
    output = define(command_line.path, "output", str(HERE), "folder to write to")
    seed = define(integer, "seed", 0, "seed of it all", lower_bound=0, upper_bound=BOUND - 1)
    epochs = define(integer, "epochs", features.EPOCHS, "passes of training", lower_bound=1)
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
