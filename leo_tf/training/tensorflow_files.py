"""What TensorFlow writes: its errors are of the system, and name the place."""

import contextlib
import errno
import os
from collections.abc import Iterator

import tensorflow as tf

from data_pipeline.one_line import one_line

# As TensorFlow spells errors of the system; one of these ends what it says.
_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_NUMBERS += (errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EMFILE, errno.ENAMETOOLONG)


@contextlib.contextmanager
def written(path: str | os.PathLike) -> Iterator[None]:
    """Turn TensorFlow's errors of a block that writes a file or folder into an OSError.

    A full disk is a ResourceExhaustedError to TensorFlow, as is a lack of memory.

    Raises:
      OSError: names the file or folder, and what the system said.
    """
    try:
        yield
    except tf.errors.OpError as error:
        text = str(error)
        for number in _NUMBERS:
            if os.strerror(number).lower() in text.lower():
                raise OSError(number, os.strerror(number), str(path)) from None
        raise OSError(errno.EIO, f"cannot be written ({one_line(text)})", str(path)) from None
