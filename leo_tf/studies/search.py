"""What is searched for settings, and with which trials; no TensorFlow, no Optuna."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leo_tf.config import Config
from leo_tf.config.methods import own
from leo_tf.studies import trials
from leo_tf.studies.ranges import Range

SAMPLERS = ("tpe", "random")
# In the folder of a search: the study, the record of its trials, the trainings of those that run.
JOURNAL, RECORD, RUNNING = "study.journal", "trials.json", "running"
DIGEST = "the digest of "  # begins the names of terms that are read off files


@dataclasses.dataclass(frozen=True)
class Search:
    """A search for a method's settings.

    Args:
      folder: of the search; the record of its trials is trials.json there.
      method: whose settings; for people and the record.
      ranges: {setting: range} of those that are searched.
      about: {name: value} of everything else that makes its trials comparable with each other.
      count: trials in all; the first has the starts of the ranges.
      sampler: one of `SAMPLERS`.
      seed: of the sampler.
      prune: whether trials end whose validations are below the median of those before.
      storage: URL of a database; None for a journal in the folder.
    """

    folder: Path
    method: str
    ranges: Mapping[str, Range]
    about: Mapping[str, Any]
    count: int
    sampler: str = SAMPLERS[0]
    seed: int = 0
    prune: bool = True
    storage: str | None = None

    @property
    def record(self) -> Path:
        """The file of the record of its trials."""
        return self.folder / RECORD

    def running(self, number: int) -> Path:
        """The folder of a trial's training, which is there as long as the trial goes on."""
        return self.folder / RUNNING / f"trial{number}"

    def found(self, number: int) -> Path:
        """The file of what a trial has found, which is there until the study knows it."""
        return self.folder / RUNNING / f"trial{number}.json"

    def log(self, number: int) -> Path:
        """The file of what a trial printed."""
        return self.folder / "logs" / f"trial{number}.txt"

    @property
    def terms(self) -> dict[str, Any]:
        """What trials have in common that may be compared, as the record and the study keep it."""
        told = {f"the range of {name}": str(each) for name, each in self.ranges.items()}
        return {**self.about, **told, "sampler": self.sampler}

    def differences(self, theirs: Mapping[str, Any]) -> str:
        """Say in what trials that are there are of another search; "" if in nothing.

        Args:
          theirs: the terms that they were kept with, {} where none were. Digests are looked at only
            if this search has some: they take the data.
        """
        ours = self.terms
        if not any(name.startswith(DIGEST) for name in ours):
            theirs = {name: each for name, each in theirs.items() if not name.startswith(DIGEST)}
        return trials.differences(theirs, ours) if theirs else ""


def about(
    config: Config, ranges: Mapping[str, Range], digests: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the trials of a search have in common beside the ranges.

    Args:
      config: of any of its trials.
      ranges: of the settings in which they differ.
      digests: {split: digest} of the data.
    """
    shared = {name: value for name, value in config.training().items() if name not in ranges}
    shared |= {f"{DIGEST}{split}": digest for split, digest in digests.items()}
    if method := own.of(config.settings):
        shared[f"{DIGEST}the method's file"] = method.digest
    return shared
