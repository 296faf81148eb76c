"""What a reproduction consists of: searches, runs and figures, where they lie, what they compute.

No TensorFlow.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline.synthetic import RELEASED_SIZES
from leo_tf.classification import inputs
from leo_tf.config import Config
from leo_tf.config.experiments import PLAIN, Regression
from leo_tf.reports.asked import FIGURES
from leo_tf.reproduction.recipes import CENTER, Recipe
from leo_tf.studies import seeds, trials
from leo_tf.studies.search import RECORD, Search, about
from leo_tf.studies.tuning import Tuning
from leo_tf.training.run_folder import RunFolder, read_json

WHAT = ("table1", "table2", *(f"figure{number}" for number in FIGURES))
SEARCH, RUN, FIGURE, MEASUREMENT = "search", "run", "figure", "measurement"
FUNCTIONS = "sines_and_lines"  # the recipe of figure 2
RECIPES = {"functions": FUNCTIONS}  # by the role in a figure, where it is not the role's name
REMEDY = "remove it"
COMMITTED = Path("figure2")  # the run that comes with the code, among recipes and in a reproduction
OF_FUNCTIONS = ("validate_every", "validation_episodes", "test_episodes")


class Job(NamedTuple):
    """One piece of work, which is done once."""

    kind: str
    name: str  # of a recipe, or the number of a figure
    dataset: str
    shot: int = 0  # 0 of functions
    seed: int = 0

    @property
    def slug(self) -> str:
        """The name of its files."""
        return "_".join(map(str, self))

    def __str__(self) -> str:
        what = {SEARCH: f"search of {self.name}", FIGURE: f"figure {self.name}"}
        what[MEASUREMENT] = f"times of {self.name}"
        sizes = f", {self.shot} shot" if self.shot else ""
        return f"{what.get(self.kind, self.name)}, {self.dataset}{sizes}, seed {self.seed}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """A reproduction.

    Args:
      what: of `WHAT`.
      datasets, shots, seeds: of the tables, and of the figures the first seed.
      recipes: {name: recipe}.
      settings: {name: value} of every run, which flags ask for.
      trials: of each search; 0 for none.
      out: folder of all of it.
      data_path: folder of the data sets.
      episodes: that figures 3 and 4 show.
      trains: whether the run of figure 2 is trained, not that which comes with the code.
    """

    what: tuple[str, ...]
    datasets: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    recipes: Mapping[str, Recipe]
    settings: Mapping[str, Any]
    trials: int
    out: Path
    data_path: Path
    episodes: int
    trains: bool = False

    def searches(self) -> list[Job]:
        """List the searches for settings, one a row, data set and shot."""
        if not self.trials:
            return []
        rows = [run for run in self.runs() if run.shot and run.seed == self.seeds[0]]
        return [run._replace(kind=SEARCH) for run in rows if self._has_settings(run)]

    def _has_settings(self, run):
        try:
            return bool(self.tuning(run).ranges)
        except ValueError:  # nothing to search
            return False

    def runs(self) -> list[Job]:
        """List the runs, those of the first seed first."""
        found = [
            Job(RUN, recipe.name, dataset, shot, seed)
            for seed in self.seeds
            for dataset in self.datasets
            for shot in self.shots
            for recipe in self._rows(seed)
            if recipe.fits(dataset)
        ]
        of_functions = self.trains and "figure2" in self.what
        return [*found, self._run_of_functions()] if of_functions else found

    def _rows(self, seed: int) -> Iterator[Recipe]:
        """Yield the recipes of the tables, and of the runs that figures show."""
        tables = {int(name[-1]) for name in self.what if name.startswith("table")}
        shown_roles = (role for number in self._figures() for role in FIGURES[number].roles)
        roles = {RECIPES.get(role, role) for role in shown_roles}
        for recipe in self.recipes.values():
            shown = recipe.name in roles and seed == self.seeds[0]
            if recipe.is_row and (shown or tables & {*recipe.tables}):
                yield recipe

    def figures(self) -> list[Job]:
        """List the figures: the second once, others for each data set and shot."""
        found = []
        for number in self._figures():
            if FIGURES[number].split is None:
                found.append(self._run_of_functions()._replace(kind=FIGURE, name=number))
                continue
            found += [
                Job(FIGURE, number, dataset, shot, self.seeds[0])
                for dataset in self.datasets
                for shot in self.shots
            ]
        return found

    def _figures(self):
        return [name[-1] for name in self.what if name.startswith("figure")]

    def _run_of_functions(self):
        return Job(RUN, FUNCTIONS, Regression.dataset, seed=self.seeds[0])

    def config(self, run: Job) -> Config:
        """Return the configuration of a run.

        Raises:
          ValueError: one line, if it makes no sense, or its settings are not found yet.
        """
        searched = self.trials and run.shot and self._has_settings(run)
        return self.outline(run, **(self.best(run) if searched else {}))

    def outline(self, run: Job, **more: Any) -> Config:
        """Return it whatever a search found, or with further settings.

        Raises:
          ValueError: one line, if it makes no sense.
        """
        recipe = self.recipes[run.name]
        if not recipe.is_row:
            return recipe.config(seed=run.seed, **self._of_functions(recipe))
        sizes = {"dataset": run.dataset, "shot": run.shot, "seed": run.seed}
        return recipe.config(**{**more, **self.settings, **sizes})

    def plain(self, run: Job) -> Config:
        """Return the configuration of a run's settings without a protocol, as trials have it."""
        config = self.outline(run)
        plain = {"protocol": PLAIN, "train_on_val": False}
        return dataclasses.replace(
            config, experiment=dataclasses.replace(config.experiment, **plain)
        )

    def _of_functions(self, recipe):
        """Return the settings of a regression: of fewer steps, those of its generator are, too."""
        found = {name: self.settings[name] for name in OF_FUNCTIONS if name in self.settings}
        if "steps" in self.settings:
            steps, whole = self.settings["steps"], recipe.config().experiment
            found["steps"] = steps
            found["generator_steps"] = -(-whole.generator_steps * steps // whole.steps)
        return found

    def folder(self, run: Job) -> RunFolder:
        """Return the folder of a run, where `leo_tf.run` would put it below another one."""
        if run.name == FUNCTIONS and not self.trains:
            return RunFolder(self.out / COMMITTED)
        config = self.outline(run)
        crop = self.recipes[run.name].crop
        top = self.top / crop if crop != CENTER else self.top
        return RunFolder(top / Path(config.run_dir).relative_to("runs"))

    @property
    def top(self) -> Path:
        """The folder of runs whose settings are found in the same way."""
        return self.out / f"{self.trials}_trials" if self.trials else self.out

    def tuning(self, run: Job) -> Tuning:
        """Return the search for the settings of a run.

        Raises:
          ValueError: one line, if there is nothing to search.
        """
        config = self.plain(run._replace(seed=self.seeds[0]))
        asked = {**self.recipes[run.name].given, **self.settings}
        return Tuning.of(config, config.method, asked, str(self.data_path))

    def study(self, run: Job) -> Path:
        """Return the folder of the search for the settings of a run."""
        of_run = self.folder(run._replace(kind=RUN, seed=self.seeds[0])).path
        return self.out / "tune" / of_run.relative_to(self.out)

    def best(self, run: Job) -> dict[str, Any]:
        """Return the settings that a search found for a run.

        Raises:
          ValueError: one line, if it is not done, found none, or was another one.
        """
        tuning, path = self.tuning(run), self.record(run)
        record = trials.read(path, tuning.method)
        shared = about(tuning.config({}), tuning.ranges, {})
        asked = Search(path.parent, tuning.method, tuning.ranges, shared, self.trials)
        if apart := asked.differences(record["search"]):
            raise ValueError(f"{path}: has trials of another search: {apart}; choose another --out")
        if (there := len(record["trials"])) < self.trials:
            raise ValueError(f"{path}: has {there} of {self.trials} trials")
        return {**tuning.start, **trials.best(record)}

    def record(self, run: Job) -> Path:
        """Return the record of the search for the settings of a run."""
        return self.study(run) / RECORD

    def trials_left(self, run: Job) -> int:
        """Return how many trials the search for the settings of a run lacks."""
        there = trials.read(self.record(run), self.recipes[run.name].method)["trials"]
        return max(0, self.trials - len(there))

    def shown(self, figure: Job) -> dict[str, Job]:
        """Return {role: run} of the runs that a figure shows."""
        return {
            role: figure._replace(kind=RUN, name=RECIPES.get(role, role))
            for role in FIGURES[figure.name].roles
        }

    def picture(self, figure: Job) -> Path:
        """Return the file of a figure."""
        first, *_ = self.shown(figure).values()
        return self.folder(first).figure(figure.name)

    def is_done(self, job: Job) -> bool:
        """Return whether nothing is left to do of a job."""
        try:
            if job.kind == SEARCH:
                return bool(self.best(job))
            if job.kind == RUN:
                return seeds.finished(seeds.Run(self.config(job), self.folder(job))) is not None
        except ValueError:
            return False
        return self._is_drawn(job)

    def _is_drawn(self, figure):
        """Return whether a figure is there, of these episodes, and no older than what it shows."""
        picture = self.picture(figure)
        results = [self.folder(run).result for run in self.shown(figure).values()]
        told = self.times(figure)
        if not all(file.is_file() for file in (picture, told, *results)):
            return False
        if read_json(told, REMEDY).get("counts") != [self.episodes]:
            return False
        return max(each.stat().st_mtime_ns for each in results) <= picture.stat().st_mtime_ns

    def times(self, job: Job) -> Path:
        """Return the file of how long a job took."""
        return self.top / "times" / f"{job.slug}.json"

    def log(self, job: Job) -> Path:
        """Return the file that a job prints to: in the folder of a run, or beside others'."""
        if job.kind == RUN:
            return self.folder(job).path / "log.txt"
        return self.top / "logs" / f"{job.slug}.txt"

    def is_begun(self, run: Job) -> bool:
        """Return whether a run that is not done has something to go on from."""
        return self.folder(run).config.is_file()

    def check_data(self, dataset: str) -> None:
        """Raise a FileNotFoundError or ValueError, one line, if a data set is not there."""
        crops = {each.crop: each for each in self._rows(self.seeds[0]) if each.fits(dataset)}
        for recipe in crops.values():
            run = Job(RUN, recipe.name, dataset, self.shots[0], self.seeds[0])
            inputs.check_there(self.outline(run).experiment, self.data_path)

    def files(self) -> dict[str, Path]:
        """Return the files of all data sets, by their paths below a folder of data sets."""
        runs = {(run.dataset, self.recipes[run.name].crop): run for run in self.runs() if run.shot}
        found: dict[str, Path] = {}
        for run in runs.values():
            found.update(inputs.files(self.plain(run).experiment, self.data_path))
        return found

    def is_absent(self, dataset: str) -> bool:
        """Return whether a data set is not there, though its sizes are known."""
        if dataset not in RELEASED_SIZES:
            return False
        try:
            self.check_data(dataset)
        except (ValueError, FileNotFoundError):
            return True
        return False
