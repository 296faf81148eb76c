"""Rebuild the default data, glyphs, from installed fonts: python -m data_pipeline.glyphs.build

Renders the characters, trains a Wide ResNet on the meta-train classes, embeds all images with it,
and writes the embeddings, the list of fonts used (sources.csv) and the sample sheet (sheet.png).
Equal fonts give equal images, and equal embeddings on equal machines.
"""

import csv
import io
from pathlib import Path

import numpy as np
from absl import flags

from data_pipeline import atomic, command_line, released_format
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.glyphs import characters, features, fonts, images
from data_pipeline.glyphs.packages import PACKAGES

HERE = Path(__file__).parent
LARGEST_TOTAL = 12_000_000


def render_all(folder, seed=0):
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


def embed_all(rendered, seed=0, epochs=features.EPOCHS):
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
    everything = sum(rendered.values(), [])
    rows = features.embed(network, np.concatenate([each.images for each in everything]))
    ends = np.cumsum([len(each.images) for each in everything])
    by_label = dict(zip([each.label for each in everything], np.split(rows, ends), strict=False))
    return {
        split: EmbeddingSet.from_arrays(
            {each.label: by_label[each.label] for each in classes}, split
        )
        for split, classes in rendered.items()
    }


def nearest_centroid(embeddings, shot, episodes=2000, queries=15, seed=0):
    """Return the percentage of queries, 5-way, nearest to the mean of their class's support."""
    rng = np.random.default_rng(seed)
    correct = []
    by_class = [embeddings.of_class(name) for name in embeddings.class_names]
    by_class = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in by_class]
    for _ in range(episodes):
        chosen = rng.choice(len(by_class), 5, replace=False)
        drawn = np.stack([rng.permutation(by_class[c])[: shot + queries] for c in chosen])
        centroids = drawn[:, :shot].mean(1)
        distances = ((drawn[:, shot:, None] - centroids) ** 2).sum(-1)  # [way, query, centroid]
        correct.append((distances.argmin(-1) == np.arange(5)[:, None]).mean())
    return 100 * float(np.mean(correct))


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


def build(folder, output, seed=0, epochs=features.EPOCHS):
    """Render, train, embed and write everything, and print what came out.

    Args:
      folder: where the fonts are.
      output: gets embeddings/glyphs/center/<split>_embeddings.pkl, sources.csv and sheet.png.
      seed: integer.
      epochs: passes over the meta-train images.

    Raises:
      FileNotFoundError, ValueError: see `render_all`.
    """
    output = Path(output)
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
        one, five = (nearest_centroid(embeddings, shot) for shot in (1, 5))
        print(
            f"{path}: {embeddings.num_classes} classes, {len(embeddings)} images, "
            f"dim {embeddings.dim}; nearest centroid {one:.1f} % at 1 shot, {five:.1f} % at 5"
        )
    if total > LARGEST_TOTAL:
        raise ValueError(f"{target}: {total} bytes; at most {LARGEST_TOTAL} are to be committed")


def cli(argv=None):
    """Run the command."""
    values = flags.FlagValues()
    folder = flags.DEFINE_string("fonts", "/usr/share/fonts", "font folder", flag_values=values)
    output = flags.DEFINE_string("output", str(HERE), "folder to write to", flag_values=values)
    seed = flags.DEFINE_integer("seed", 0, "seed of it all", lower_bound=0, flag_values=values)
    epochs = flags.DEFINE_integer(
        "epochs", features.EPOCHS, "passes of training", lower_bound=1, flag_values=values
    )
    packages = flags.DEFINE_bool(
        "packages", False, "only print the Debian packages with the fonts", flag_values=values
    )

    def main():
        if packages.value:
            print(" ".join(PACKAGES))
        else:
            build(folder.value, output.value, seed.value, epochs.value)

    command_line.run(main, values, __doc__, argv)


if __name__ == "__main__":
    cli()
