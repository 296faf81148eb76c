"""Have the files in tests/data/any_bytes read, each by its reader: a program, so that it may die.

python found_inputs.py FOLDER: copies go to FOLDER; prints a line of JSON for each, [name, what was
said].
"""

import json
import resource
import shutil
import sys
from pathlib import Path

from any_bytes import npy_of, rows, said

from data_pipeline import cards, released_format
from data_pipeline.pickles import torch_file
from leo_tf.training.metrics_rows import drop_rows_after
from leo_tf.training.run_folder import RunFolder, read_json

FOUND = Path(__file__).parent / "data" / "any_bytes"
MEMORY, SECONDS = 4 << 30, 300  # of the process


def embeddings(path):
    """Read a file of a data set to its end."""
    released_format.read(path).to_array()


def beside_other(path):
    """Read an .npy as embeddings that have labels, or as labels of embeddings, as its name says."""
    values, labels = rows()
    beside = path.with_name("train_labels.npy")
    if path.parent.name.startswith("labels"):
        path.rename(beside)
        path.write_bytes(npy_of(values))
    else:
        beside.write_bytes(npy_of(labels))
    embeddings(path)


def json_files(path):
    """Read a configuration, a result and a card."""
    for read in (lambda: read_json(path, "remedy"), lambda: cards.read(path.parent)):
        try:
            read()
        except ValueError as error:
            assert str(path.parent) in str(error)
    RunFolder(path.parent).read()


READERS = {
    "pickle": ("train_embeddings.pkl", embeddings),
    "npz": ("train_embeddings.npz", embeddings),
    "npy": ("train_embeddings.npy", beside_other),
    "torch": ("weights.pth", torch_file.load),
    "json": ("config.json", json_files),
    "metrics": ("metrics.csv", lambda path: drop_rows_after(path, 10)),
}


def main(folder):
    """Read all."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for kind, (name, read) in READERS.items():
        for found in sorted((FOUND / kind).iterdir()):
            path = folder / kind / found.name / name
            path.parent.mkdir(parents=True)
            shutil.copy(found, path)
            if kind == "json":
                shutil.copy(found, path.with_name("card.json"))
            print(json.dumps([f"{kind}/{found.name}", said(read, path)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
