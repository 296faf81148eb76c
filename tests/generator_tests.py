"""Checks of a generator of 32-bit words, which tell it from a perfect one.

A check takes words, uint32 [rows, columns], and returns p-values: a bound of the probability that
perfect words would do as these or worse. No threshold is fitted: `passes` refuses perfect words
once in 1 / `FALSE_ALARM` times.
"""

import numpy as np
import tensorflow as tf
from scipy import special, stats

FALSE_ALARM = 1e-7  # of a check; hundreds of them, at each change of the generator, stay quiet
COLUMNS, ROWS = 256, 16  # of which single bits are looked at, where all would take long
# From a word to a neighbour, in rows and columns: along, across, and jointly.
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Of the two words: high, middle and low parts alike, and the high with the low.
BYTES = ((0, 0), (1, 1), (2, 2), (3, 3), (0, 3), (3, 0))


def passes(p_values):
    """Return whether none of some p-values is too small for their number (Bonferroni)."""
    p_values = np.ravel(p_values)
    return bool(np.min(p_values) * p_values.size > FALSE_ALARM)


def two_sided(distribution, found):
    """Return the p-values of too little or too much, of a distribution of SciPy."""
    return np.minimum(1, 2 * np.minimum(distribution.cdf(found), distribution.sf(found - 1e-9)))


def of_sums(sums, count):
    """Return the p-values of sums of signs (Hoeffding's inequality, true of any number)."""
    return np.minimum(1, 2 * np.exp(-np.square(sums, dtype=np.float64) / (2 * count)))


def signs(words):
    """Return the bits of words [..., columns] as float32 +-1, [..., columns, 32], the low first."""
    octets = np.ascontiguousarray(words, "<u4").view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little").reshape(*words.shape, 32)
    return np.float32(1) - np.float32(2) * bits


def agreements(first, second):
    """Return the sums of products of signs [count, ...], column by column; exact up to 2^24.

    By TensorFlow: the threads of NumPy's products wait busily for a core that another has.
    """
    return tf.matmul(first, second, transpose_a=True).numpy()


def neighbours(words, direction, phase):
    """Return words and their neighbours, each word in one pair at most.

    Overlapping pairs would depend on each other: the phase says which half of the pairs to take.
    """
    down, right = direction
    if down:
        rows = len(words[phase + 1 :: 2])
        first, second = words[phase::2][:rows], words[phase + 1 :: 2]
        columns = words.shape[1] - abs(right)
        start = max(-right, 0)
        return first[:, start : start + columns], second[:, start + right :][:, :columns]
    columns = words[:, phase + 1 :: 2].shape[1]
    return words[:, phase::2][:, :columns], words[:, phase + 1 :: 2]


def balance(words, keys):
    """Bits are 0 as often as 1: each of them in each row, in each column, and in all."""
    some = signs(words[:, :COLUMNS])
    rows, columns, _ = some.shape
    of_rows, of_columns = some.sum(axis=1), some.sum(axis=0)
    spread = np.square(of_rows).sum(dtype=np.float64) / columns  # squares of near-normals
    return np.concatenate(
        [
            of_sums(of_rows, columns).ravel(),
            of_sums(of_columns, rows).ravel(),
            of_sums(of_rows.sum(axis=0), rows * columns),
            of_sums(of_rows.sum(axis=1), 32 * columns),
            np.ravel(two_sided(stats.chi2(of_rows.size), spread)),
        ]
    )


def any_two_rows(words, keys):
    """Bits of any two rows agree half the time, in place and where one follows the other."""
    bits = signs(words[:, :COLUMNS]).reshape(len(words), -1)
    here = agreements(bits.T, bits.T)[np.triu_indices(len(bits), 1)]
    # Products of a sign and another one, next to each other in a row or not, are independent, too.
    shifted = agreements(bits[:, 32:].T, bits[:, :-32].T)
    count = bits.shape[1]
    return np.concatenate([of_sums(here, count), of_sums(shifted, count - 32).ravel()])


def pairs_of_bytes(words, keys):
    """Eight bits of a word and eight of a neighbour take all 2^16 values alike (chi-square).

    With so many cells the statistic is near normal, whose mean and variance are chi-square's at
    any number of pairs.
    """
    octets = np.ascontiguousarray(words, "<u4").view(np.uint8).reshape(*words.shape, 4)
    found = []
    for direction in DIRECTIONS:
        for phase in (0, 1):
            first, second = neighbours(octets, direction, phase)
            for i, j in BYTES:
                cells = first[..., i].astype(np.uint16) << 8 | second[..., j]
                found.append(chi_square(np.bincount(cells.ravel(), minlength=2**16)))
    return two_sided(stats.chi2(2**16 - 1), np.array(found))


def chi_square(counts):
    """Return Pearson's statistic of cells of equal probability."""
    expected = counts.sum() / counts.size
    return np.square(counts - expected).sum() / expected


def pairs_of_bits(words, keys):
    """Any bit of a word and any of a neighbour agree half the time."""
    found = []
    for direction in DIRECTIONS:
        for phase in (0, 1):
            pair = neighbours(words[:, :COLUMNS], direction, phase)
            first, second = (signs(each).reshape(-1, 32) for each in pair)
            found.append(of_sums(agreements(first, second), len(first)))
    return np.array(found)


def avalanche(words, keys):
    """A flipped bit of the key of a row, or of the position, flips each bit half the time.

    Args:
      keys: an integer for each row, or None for rows without.
    """
    columns = np.ascontiguousarray(words[:ROWS].T)
    found = _flips(columns, range(len(columns)))
    return np.concatenate(found if keys is None else found + _flips(words[:, :1024], keys))


def _flips(words, keys):
    """Return p-values [32] for each bit of the keys in which some of them alone differ."""
    place = {int(key): i for i, key in enumerate(keys)}
    found = []
    for bit in range(max(place).bit_length()):
        pairs = [(i, place.get(key ^ 1 << bit)) for key, i in place.items() if not key >> bit & 1]
        pairs = np.array([pair for pair in pairs if pair[1] is not None])
        if len(pairs):
            flips = words[pairs[:, 0]] ^ words[pairs[:, 1]]
            found.append(of_sums(signs(flips.ravel()).sum(axis=0), flips.size))
    return found


def collisions(words, keys):
    """As many pairs of words are equal as birthdays would be (Poisson)."""
    ordered = np.sort(words, axis=None)
    ends = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    times = np.diff(ends)
    found = (times * (times - 1) // 2).sum()
    return two_sided(stats.poisson(words.size * (words.size - 1) / 2**33), found)


CHECKS = (balance, any_two_rows, pairs_of_bytes, pairs_of_bits, avalanche, collisions)


def moments(normals):
    """Return the p-values of the first four moments (the central limit theorem)."""
    squares = np.square(normals)
    powers = (normals, squares, squares * normals, squares * squares)
    means = np.array([power.mean(dtype=np.float64) for power in powers])
    deviations = np.sqrt(np.array([1, 2, 15, 96]) / normals.size)
    return special.erfc(np.abs(means - [0, 1, 0, 3]) / deviations / np.sqrt(2))


def kolmogorov_smirnov(normals):
    """Return the p-value of the largest distance (Dvoretzky, Kiefer, Wolfowitz and Massart)."""
    expected = special.ndtr(np.sort(normals))
    steps = np.arange(normals.size + 1) / normals.size
    distance = max((steps[1:] - expected).max(), (expected - steps[:-1]).max())
    return np.minimum(1, 2 * np.exp(-2 * normals.size * distance**2))


def tails(normals):
    """Return the p-values of the numbers beyond 3, 4 and 5 on each side (Poisson)."""
    found = [[(side * normals > bound).sum() for bound in (3, 4, 5)] for side in (1, -1)]
    return two_sided(stats.poisson(normals.size * stats.norm.sf([3, 4, 5])), np.array(found))


def kept(mask, rate):
    """Return the p-value of the number of units that are kept (binomial, exact)."""
    return two_sided(stats.binom(mask.size, 1 - rate), mask.sum())
