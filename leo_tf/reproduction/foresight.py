"""How long a reproduction will take, before it begins and while it goes on; no TensorFlow."""

from collections.abc import Iterable, Mapping, Sequence

from leo_tf.config.methods import DEFAULT
from leo_tf.reports.asked import EPISODES
from leo_tf.reproduction import times
from leo_tf.reproduction.costs import Cost, Counts, Record, Sizes, makespan
from leo_tf.reproduction.plan import FIGURE, FUNCTIONS, RUN, SEARCH, Job, Plan

Of = tuple[str, int]  # data set and shot
PAGE = 10.0  # seconds that its tables and curves take, about


class Foresight:
    """What each job of a plan will take.

    What has been done here tells best; then what was measured here of a row; then the record, whose
    costs are as many times LEO's as they were there.

    Args:
      plan: what is to be done.
      record: costs of rows.
      here: {(data set, shot): {row: cost}} as measured here, LEO's among them.
      sizes: {(data set, shot): sizes}.
    """

    def __init__(
        self,
        plan: Plan,
        record: Record,
        here: Mapping[Of, Mapping[str, Cost]],
        sizes: Mapping[Of, Sizes],
    ) -> None:
        self.plan, self.record, self.here, self.sizes = plan, record, here, sizes
        self._expected: dict[Job, float] = {}
        self._done = [0.0, 0.0]  # seconds that were expected of what was done since, and taken

    def seconds(self, job: Job) -> float:
        """Return the seconds that a job takes from its start, as expected before it is done."""
        if job not in self._expected:
            known = self._of_others(job)
            self._expected[job] = self._by_costs(job) if known is None else known
        return self._expected[job]

    def _of_others(self, job):
        """Return the mean of those seeds' that are done; None if none is."""
        counts = times.counts(self.plan, job)
        others = [job._replace(seed=seed) for seed in self.plan.seeds]
        found = [times.took(self.plan, each, counts) for each in others]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) / len(known) if known else None

    def _by_costs(self, job):
        counts = times.counts(self.plan, job)
        of = (job.dataset, job.shot)
        leo, sizes = self._leo(of)
        if job.kind == FIGURE:
            share = self.plan.episodes / EPISODES if job.shot else 1.0
            return share * self.record.figure(job.name, sizes, leo)
        if job.name == FUNCTIONS:
            cost = self.record.functions.scaled(leo, self._recorded(sizes))
            return Counts(*counts).seconds(cost)
        here = self.here.get(of, {})
        cost = here[job.name] if job.name in here else self.record.cost(job.name, sizes, leo)
        return Counts(*counts).seconds(cost, job.kind == RUN and job.seed != self.plan.seeds[0])

    def _leo(self, of):
        """Return LEO's cost and the sizes of a data set; of functions, those of any."""
        of = of if of in self.sizes else next(iter(self.sizes), None)
        if of is None:
            first = self.record.measured[0]
            return first.rows[DEFAULT], first.sizes
        sizes = self.sizes[of]
        return self.here.get(of, {}).get(DEFAULT, self._recorded(sizes)), sizes

    def _recorded(self, sizes):
        return self.record.nearest(sizes).rows[DEFAULT]

    def pieces(self, job: Job) -> list[float]:
        """Return the seconds of what is left of a job, in the pieces that are given to workers."""
        if job.kind != SEARCH:
            return [self.seconds(job)]
        return self.plan.trials_left(job) * [self.seconds(job) / self.plan.trials]

    def phase(self, jobs: Iterable[Job], workers: int) -> float:
        """Return how long jobs take that workers do side by side, the longest pieces first."""
        pieces = [seconds for job in jobs for seconds in self.pieces(job)]
        return makespan(sorted(pieces, reverse=True), workers)

    def total(self, phases: Iterable[Sequence[Job]], workers: int) -> float:
        """Return how long jobs take, phase after phase."""
        return PAGE + sum(self.phase(jobs, workers) for jobs in phases)

    def learn(self, expected: float, taken: float) -> None:
        """Take in how long something took, and how long that was expected to take."""
        self._done[0] += expected
        self._done[1] += taken

    def took(self, job: Job) -> float | None:
        """Return the seconds that a job took as a whole; None if that is not known."""
        return times.took(self.plan, job, times.counts(self.plan, job))

    @property
    def factor(self) -> float:
        """How many times longer jobs took since than was expected."""
        expected, taken = self._done
        return taken / expected if expected else 1.0


def in_order(jobs: Iterable[Job], foresight: Foresight) -> list[Job]:
    """Return jobs in the order that ends soonest: the longest first."""
    return sorted(jobs, key=lambda job: -foresight.seconds(job))
