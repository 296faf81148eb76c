"""What the command evaluate prints and writes of a classifier's tests."""

import os
from collections.abc import Sequence
from pathlib import Path

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.classification import class_report, result
from leo_tf.classification.testing import Wanted, evaluate_each
from leo_tf.config.experiments import Classification
from leo_tf.training.run_folder import write_json


def report(
    folder: str | os.PathLike,
    experiments: Sequence[Classification],
    episodes: int,
    embeddings: EmbeddingSet,
    split: str = "test",
    per_class: bool = False,
    tables: str | None = None,
    json: str | None = None,
    predictions: str | None = None,
    rejection: bool = False,
) -> None:
    """Test a SavedModel in each setting: print a table of each, and one of all if they are several.

    Args:
      folder, experiments, episodes, embeddings, split: see `testing.evaluate_each`.
      per_class: whether to tell the accuracy of each class, too.
      tables: folder for this as CSV files, in one folder a setting if they are several; or None.
      predictions: file for the answer to every query, of one setting; or None.
      rejection: whether to tell what rejecting unsure answers costs and catches.
      json: file for the figures of the setting, or for {"settings": [those of each]}; or None.
    """
    several, results = len(experiments) > 1, []
    wanted = Wanted(per_class or bool(tables), predictions, rejection)
    for found, classes, lines in evaluate_each(
        folder, experiments, episodes, embeddings, split, wanted
    ):
        print(result.table(found), flush=True)
        if classes is not None:
            print(f"\n{class_report.table(classes)}")
            if tables:
                name = f"{found['way']}way_{found['shot']}shot" if several else ""
                print("\n" + "\n".join(class_report.write(classes, Path(tables) / name)))
        for line in lines:
            print(f"\n{line}")
        if several:
            print()
        results.append(found)
    if several:
        print(result.summary(results))
    if json:
        write_json(json, {"settings": results} if several else results[0])
