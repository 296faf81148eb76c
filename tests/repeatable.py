"""Examples that Hypothesis makes alike each time: a test that passes goes on passing."""

from hypothesis import HealthCheck, settings


def repeatable(examples):
    """Return the settings of so many examples, however long one takes."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
