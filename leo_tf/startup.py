"""How TensorFlow and Keras start: quietly, as every command needs them, whatever was before."""

import contextlib
import ctypes
import gc
import os
import random
import sys
from types import ModuleType

import psutil

from data_pipeline import console, process
from leo_tf import compile_cache

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**30
_LOG_LEVEL, _BACKEND = "TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"
# What Keras imports where it is installed, a third of its time, for features that no command uses.
_UNUSED = ("sklearn", "matplotlib", "scipy")


def start_tensorflow() -> None:
    """Import TensorFlow without its start-up messages, and have it compute as this project means.

    A command may be called by a program that has used TensorFlow and Keras, and set them up in its
    own way. Threads stay as they are then. What changes for the command is given back when it ends:
    the log levels, the device in whose scope it was called, functions that run eagerly, Keras's
    settings, the global random seeds. What stays is how the C library reuses
    memory.

    Raises:
      ValueError: one line, if the process cannot compute what a command computes.
    """
    used = "tensorflow" in sys.modules
    with contextlib.nullcontext() if used else console.quiet():
        tf, keras = _import()
        keep = process.is_own() and not used
        with _compile_cache(tf) if keep else contextlib.nullcontext():
            fixed = _set_threads(tf)
            if fixed and psutil.Process().num_threads() == 1:
                raise ValueError(
                    "this process was forked from one that had used TensorFlow, which stands still "
                    "here; start it by multiprocessing's method spawn"
                )
            tf.config.list_logical_devices()
            _compile(tf)
    process.hold(_log_levels(tf))
    if not tf.executing_eagerly():
        raise ValueError(
            "TensorFlow builds a graph here; call this outside of tf.Graph and tf.function, with "
            "eager execution enabled"
        )
    if _is_recorded():
        raise ValueError("a gradient tape records here; call this outside of its block")
    if tf.distribute.has_strategy():
        raise ValueError("this computes on one device; call it outside of a strategy's scope")
    process.hold(tf.device(None))
    process.hold(_eager_functions(tf))
    process.hold(_unchecked_numbers(tf))
    process.hold(_global_seeds(tf, keras))
    process.hold(_keras_settings(keras))
    keep_freed_memory()


@contextlib.contextmanager
def _compile_cache(tf):
    """Have TensorFlow keep what it compiles until the command ends, if it starts in this block."""
    with _environment(compile_cache.VARIABLE, process.hold(compile_cache.kept(tf))):
        yield


def import_keras() -> ModuleType:
    """Import Keras on TensorFlow, whatever backend the environment or keras.json asks for.

    Raises:
      ImportError: one line, if it has been imported with another backend by now.
    """
    with _environment(_BACKEND, "tensorflow"):
        import keras
    if keras.config.backend() != "tensorflow":
        raise ImportError(
            f"Keras computes with {keras.config.backend()} here, LEO needs it on tensorflow: unset "
            f"{_BACKEND} or set it to tensorflow before Keras is imported"
        )
    return keras


def import_quietly() -> ModuleType:
    """Import TensorFlow, and Keras on it, without start-up messages; returns TensorFlow.

    Unlike `start_tensorflow`, it leaves the process as it is. ImportError: see `import_keras`.
    """
    if "tensorflow" not in sys.modules:
        with console.quiet(), _environment(_LOG_LEVEL, os.environ.get(_LOG_LEVEL, "2")):
            import tensorflow as tf

            tf.config.list_logical_devices()
            _compile(tf)
    import_keras()
    return sys.modules["tensorflow"]


def _is_recorded():
    """Return whether a gradient tape of the caller is open, as far as TensorFlow tells."""
    try:
        from tensorflow.python.eager import record
    except ImportError:
        return False
    return getattr(record, "could_possibly_record", bool)()


def _import():
    """Return TensorFlow and Keras."""
    if os.environ.get(_LOG_LEVEL, "2") == "2":
        # Of errors, too: it tells as such what it looks for in what it has compiled, and how. Any
        # that matters is raised.
        process.hold(_environment(_LOG_LEVEL, "3"))
    with _quick_imports():
        import tensorflow as tf

        try:
            return tf, import_keras()
        except ImportError as error:
            raise ValueError(str(error)) from None


@contextlib.contextmanager
def _quick_imports():
    """Look for no garbage among what is imported; in a process of our own, import only what we use.

    There is none, and the search for it would take a quarter of the time.
    """
    hidden = [name for name in _UNUSED if name not in sys.modules] if process.is_own() else []
    sys.modules.update(dict.fromkeys(hidden))  # None: it counts as not installed
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
        if process.is_own():
            gc.freeze()
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _environment(name, value):
    """Set a variable of the environment."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _compile(tf):
    """Compile something, if this TensorFlow tells of the first time at any log level."""
    if tf.__version__.startswith(("2.19.", "2.20.")):
        tf.function(lambda: tf.constant(0), jit_compile=True)()


def _set_threads(tf):
    """Share the cores between the parts of a step; returns whether TensorFlow had its threads."""
    # The parts of a step run side by side. Two threads on one core, too: long sums of products
    # are cut by the number of threads, and a machine of one core shall round as one of two.
    threads = max(2, os.cpu_count() or 1)
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        if chosen:  # by the user
            tf.config.threading.set_intra_op_parallelism_threads(chosen)
    except RuntimeError:
        return True
    return False


@contextlib.contextmanager
def _log_levels(tf):
    """Have TensorFlow's Python log errors alone."""
    from absl import logging

    logger = tf.get_logger()
    before = logger.level, logging.get_verbosity()
    logger.setLevel("ERROR")
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logging.set_verbosity(before[1])


@contextlib.contextmanager
def _eager_functions(tf):
    """Have functions run as graphs: XLA draws the noise."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(False)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _unchecked_numbers(tf):
    """Have operations return NaN, where checks were enabled that XLA cannot compile."""
    try:
        tf.math.log(-1.0)
    except tf.errors.InvalidArgumentError:
        tf.debugging.disable_check_numerics()
        try:
            yield
        finally:
            tf.debugging.enable_check_numerics()
    else:
        yield


@contextlib.contextmanager
def _keras_settings(keras):
    """Have Keras as it comes: float32, and no bound on the steps that it trains."""
    settings = {
        "floatx": "float32",
        "dtype_policy": "float32",
        "epsilon": 1e-7,
        "image_data_format": "channels_last",
        "max_epochs": None,
        "max_steps_per_epoch": None,
    }
    before = {}
    for name, value in settings.items():
        if hasattr(keras.config, name):
            before[name] = getattr(keras.config, name)()
            getattr(keras.config, f"set_{name}")(value)
    try:
        yield
    finally:
        for name, value in before.items():
            getattr(keras.config, f"set_{name}")(value)


@contextlib.contextmanager
def _global_seeds(tf, keras):
    """Start TensorFlow's and Keras's random numbers anew, from the seeds that there were."""
    default, of_keras = tf.compat.v1.get_seed(0)[0], random.getrandbits(31)
    unset = 87654321  # what TensorFlow tells where there is no global seed
    try:
        yield
    finally:
        keras.utils.set_random_seed(of_keras)
        tf.random.set_seed(None if default == unset else default)


def keep_freed_memory() -> None:
    """Have the C library reuse freed blocks of up to 1 GiB, for the rest of the process.

    A compiled step allocates its working memory anew each time. Above 32 MiB, as at 5 shots,
    glibc would map and unmap it for every step and the system would clear every page: that
    takes longer than the arithmetic. Does nothing where the C library has no such switch.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _NEVER)
    mallopt(_TRIM_THRESHOLD, _NEVER)
