"""How the commands start TensorFlow: quietly, and thrifty with the system's memory calls."""

import ctypes
import os
import sys
import tempfile

from absl import logging

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**30


def start_tensorflow() -> None:
    """Import TensorFlow without its start-up messages; what fails is still shown.

    The messages are written to the file descriptor before any log level applies, so the
    descriptor is turned away until the devices have been found.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            import tensorflow as tf

            # The products of a step are small: half of the cores compute it with less waiting
            # for each other, and the other half draw episodes and noise.
            tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // 2))
            tf.config.list_logical_devices()
            tf.get_logger().setLevel("ERROR")
        except BaseException:
            hidden.seek(0)
            os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
    logging.set_verbosity(logging.ERROR)
    keep_freed_memory()


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
