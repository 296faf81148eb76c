"""The lines of a benchmark's table."""

import math

from leo_tf.performance.timing import Figure

LABELS = {
    "conversion_seconds": "first conversion of the training pickle",
    "conversion_peak_memory": "  peak memory of that",
    "pickle_size": "  size of the pickle",
    "import_seconds": "start: import of TensorFlow",
    "load_seconds": "  load the training set from the cache",
    "build_seconds": "  build the model",
    "first_batch_seconds": "  first batch",
    "compile_seconds": "  compile, and first outer step",
    "first_step_seconds": "  all of that",
    "load_memory": "  memory that loading takes",
    "step_flops": "matrix products of an outer step",
    "steps_alone_per_second": "compiled outer step alone",
    "step_alone_cpu": "  CPU time a step",
    "fit_first_call_seconds": "fit: first call (compile, and its steps)",
    "outer_steps_per_second": "fit: outer steps, pipeline attached",
    "outer_step_cpu": "  CPU time a step",
    "training_peak_memory": "  peak memory of the process so far",
    "set_resident_memory": "  of the training set, in memory",
    "batches_per_second": "pipeline alone",
    "batch_cpu": "  CPU time a batch",
    "test_queries": "meta-test: queries",
    "tasks_tested_per_second": "meta-test",
    "task_tested_cpu": "  CPU time a task",
    "product_rate": "float32 matrix product, 2048 x 2048",
    "step_share": "  share of it that outer steps reach in fit",
    "peak_memory": "peak memory of the process",
}


HEADER = f"{'':42} {'median':>9}   {'quartiles':>19}  unit"


def row(name: str, measured: Figure) -> str:
    """Write a figure as a line of the table."""
    spread = ""
    if measured.repetitions > 1:
        spread = f"{number(measured.low):>9} {number(measured.high):>9}"
    return f"{LABELS[name]:42} {number(measured.median):>9}   {spread:19}  {measured.unit}"


def number(value: float) -> str:
    """Write a number with about four digits; "-" for one that is none."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.4g}".rstrip(".")
