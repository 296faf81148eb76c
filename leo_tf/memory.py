"""Keep the memory that training frees, instead of giving it back to the system at every step."""

import ctypes

# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**30


def keep_freed_memory():
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
