"""The examples of the documents run: all Python and commands but those that not_run.py lists.

They run in a folder that has what they name: a run, data sets, pictures. Commands get fewer steps
and episodes, in this process, as a program of the reader's may call them.
"""

import contextlib
import importlib
import warnings

import numpy as np
import pytest
import tensorflow as tf
from commands import TOP
from markdown_blocks import blocks, pages
from not_run import NOT_RUN
from PIL import Image
from tiny import write_sets

from data_pipeline import EmbeddingSet

STEPS = ["--steps=2", "--validate_every=2", "--validation_episodes=4"]
SMALLER = {  # flags that come after those of the page
    "leo_tf.run": [*STEPS, "--test_episodes=20"],
    "leo_tf.run --dataset=sines_and_lines": ["--generator_steps=2", "--test_samples=2"],
    "leo_tf.run --dataset=miniImageNet": ["--seeds=0"],
    "leo_tf.tune": [*STEPS, "--trials=1"],
    "leo_tf.evaluate": ["--episodes=8"],
    "leo_tf.embed": ["--backbone=glyphs"],
}
SHORTER = {"steps_per_epoch=1000, epochs=100": "steps_per_epoch=1, epochs=1"}  # of Python
DIM, WIDE = 512, 24
RUN_DIR = "runs/glyphs_5way_1shot/seed0"
RUN = ["leo_tf.run", "--dataset=glyphs", "--shot=1"]
TESTED = [
    page
    for page in pages()
    if any(
        block.language == "python" and block.name not in NOT_RUN and not block.title
        for block in blocks(page)
    )
    or any(" ".join(words) not in NOT_RUN for block in blocks(page) for words in block.commands)
]


def normal(*shape):
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


GIVEN = {  # what the reader has, page by page
    "README.md": lambda: {"support": normal(1, 5, 2, DIM), "unlabelled": normal(1, 7, DIM)},
    "docs/classifier.md": lambda: {
        "X": normal(7, DIM),
        "y": list("aabbbcc"),
        "others": normal(4, DIM),
        "new_X": normal(2, DIM),
        "new_y": list("dd"),
    },
    "docs/export.md": lambda: {
        "support": normal(2, 3, 2, DIM),
        "query": normal(2, 4, DIM),
        "present": np.array([[[1, 1], [1, 0], [1, 1]]] * 2, bool),
        "ragged": tf.ragged.constant([[[[1.0] * DIM], [[2.0] * DIM] * 2]], ragged_rank=2),
        "folder": RUN_DIR + "/saved_model",
    },
    "docs/pictures.md": lambda: {"pictures": np.zeros([2, 224, 224, 3], np.float32)},
}
FOUND = {  # what there is then
    "README.md": lambda names: names["logits"].shape == (1, 7, 5),
    "docs/classifier.md": lambda names: names["classifier"].classes_.tolist() == list("abcd"),
    "docs/export.md": lambda names: names["scores"].shape == (2, 4, 3),
    "docs/pictures.md": lambda names: names["backbone"].model.output_shape == (None, 1280),
    "docs/library.md": lambda names: names["model"].optimizer.iterations.numpy() == 1,
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """What the examples name, in a folder."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("tests", "data_pipeline"):
        (folder / name).symlink_to(TOP / name)
    for dataset in ("miniImageNet", "tieredImageNet"):
        write_sets(folder / "embeddings", noise(dataset), dataset)
    write_letters(folder / "PICTURES", 32, 20)
    write_letters(folder / "EXAMPLES", 5, 3)
    np.save(folder / "support.npy", normal(1, 5, 1, DIM))
    (method,) = (b for b in blocks("docs/own_method.md") if "def build(" in b.text)
    (folder / "path/to").mkdir(parents=True)
    (folder / "path/to/prototypes.py").write_text(method.text, encoding="utf-8")
    with in_folder(folder):
        run(RUN)
        from leo_tf import LEOClassifier

        LEOClassifier(DIM).save("model.keras")
    return folder


def noise(dataset):
    """Return three splits of six classes each, for 5 shots and 15 queries."""
    return {
        split: EmbeddingSet.from_arrays(
            {f"{split}{i}": normal(20, WIDE) + i for i in range(6)}, f"{dataset}/center/{split}"
        )
        for split in ("train", "val", "test")
    }


def write_letters(folder, classes, count):
    """Write pictures of letters in folders of classes, cut out of the sheet of glyphs."""
    sheet = Image.open(TOP / "data_pipeline/glyphs/sheet.png").convert("L")
    for i in range(classes):
        (folder / f"letter{i}").mkdir(parents=True)
        for j in range(count):
            box = (24 * j, 24 * i, 24 * j + 24, 24 * i + 24)
            sheet.crop(box).save(folder / f"letter{i}" / f"{j:02}.png")


@contextlib.contextmanager
def in_folder(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def run(words):
    """Run a command of ours in this process, smaller."""
    module = importlib.import_module(words[0])
    if not hasattr(module, "cli"):
        module = importlib.import_module(f"{words[0]}.__main__")
    smaller = [
        flag for key, flags in SMALLER.items() if set(key.split()) <= set(words) for flag in flags
    ]
    with pytest.raises(SystemExit) as left:
        module.cli([*words, *smaller])
    assert left.value.code == 0, words


@pytest.mark.long
@pytest.mark.parametrize("page", TESTED)
@pytest.mark.filterwarnings("default")
def test_the_examples_of_a_page_run(page, workspace):
    """Python first: what the commands take is made there."""
    names = GIVEN.get(page, dict)()
    with in_folder(workspace), warnings.catch_warnings():
        for block in blocks(page):
            if block.language == "python" and block.name not in NOT_RUN and not block.title:
                text = block.text
                for long, short in SHORTER.items():
                    text = text.replace(long, short)
                exec(compile(text, f"{page}:{block.line}", "exec"), names)
        for block in blocks(page):
            for words in block.commands:
                if " ".join(words) not in NOT_RUN:
                    run(words[2:])
    assert FOUND.get(page, bool)(names) or page not in FOUND
