"""The generator of training noise, as a generator: `generator_tests` says what it is held to."""

import dataclasses
import functools
import zlib

import generator_tests as checks
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.streams import stream_seed
from leo_tf.meta import noise
from leo_tf.meta.noise import Mask, Normal
from leo_tf.meta.words import random_words

STEPS = sorted(
    {*range(501), *range(2**16 - 4, 2**16 + 8), *range(2**31 - 8, 2**31)}
    | {2**k + i for k in range(9, 31) for i in (-1, 0, 1)}
)
SEEDS = sorted({*range(201), *(2**k for k in range(8, 32)), 2**31 - 1, 2**32 - 2, 2**32 - 1})
# Many have the same seed xor step, or the same sum; in this order neighbours have the same xor.
CORNERS = [(2**k + i, 2**k + j) for k in (8, 16, 24, 30) for i in range(4) for j in range(4)]
PAIRS = sorted(
    [(seed, step) for seed in range(16) for step in range(16)] + CORNERS,
    key=lambda pair: (pair[0] ^ pair[1], pair),
)
# Seeds of steps, each of their 64 bits flipped, and what tells the keys of the hash apart.
RAW = sorted(
    {base ^ flipped for base in (0, 2**64 - 1) for flipped in (0, *(1 << i for i in range(64)))}
    | {0x9E3779B9 * i % 2**32 for i in range(1, 9)}
)
USES = [*"ab", "ab", "latent", "query_keep", "encoder_keep", "decoder"]
USES += [f"{name}/{i}" for name in ("decoder", "support_keep") for i in range(12)]
RATES = (2**-31, 1e-6, 0.01, 0.307651, 0.5, 0.9, 1 - 1e-6, 1 - 2**-31)


@dataclasses.dataclass(frozen=True)
class Words:
    """A declaration of noise that is the words themselves."""

    shape: tuple[int, ...]

    def of_words(self, words):
        return words


@functools.cache
def seeds_of(stream_seed):
    """Return the seeds of `STEPS`, `SEEDS` and `PAIRS`, int32 [rows, 2] each."""

    @tf.function
    def of_steps(steps):
        return tf.map_fn(lambda step: stream_seed("train/noise", 0, step), steps)

    pairs = ([(seed, 3) for seed in SEEDS], PAIRS)
    of_pairs = [np.array([stream_seed("train/noise", *each) for each in some]) for some in pairs]
    return of_steps(tf.constant(STEPS)).numpy(), *of_pairs


def words_of(seeds, use):
    """Return the words of seeds int32 [rows, 2], [rows, 1024]: what is of one seed broadcasts."""
    return noise.random_words(tf.constant(seeds.T[..., np.newaxis]), use, [1024]).numpy()


def drawn(positions):
    """Return {what differs from row to row: (words [rows, columns], an integer for each row)}.

    Args:
      positions: shape of the words of one step, [rows, columns].
    """
    raw = np.array(RAW, np.uint64).view(np.int32).reshape(-1, 2)
    seeds = (*seeds_of(noise.stream_seed), raw)
    of_steps, of_seeds, of_pairs, of_raw = (words_of(each, "x") for each in seeds)
    of_uses = [words_of(seeds[1][:8], use) for use in USES]
    of_positions = noise.draw({"x": Words(positions)}, 0, 0)["x"].numpy()
    return {
        "positions": (of_positions, range(len(of_positions))),
        "steps": (of_steps, STEPS),
        "seeds": (of_seeds, SEEDS),
        "seeds and steps": (of_pairs, None),
        "raw seeds": (of_raw, RAW),
        "uses": (np.concatenate(of_uses, axis=1).reshape(-1, 1024), None),
    }


NAMES = ("positions", "steps", "seeds", "seeds and steps", "raw seeds", "uses")


@pytest.fixture(scope="module")
def words():
    return drawn((512, 2**13))


@pytest.mark.parametrize("check", checks.CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_words_are_uniform_and_independent(words, name, check):
    assert checks.passes(check(*words[name]))


def test_normals_are_standard_normal():
    normals = noise.draw({"x": Normal((10**7,))}, 0, 0)["x"].numpy()
    assert np.isfinite(normals).all()
    for check in (checks.moments, checks.kolmogorov_smirnov, checks.tails):
        assert checks.passes(check(normals)), check.__name__


def test_masks_keep_the_share_that_is_not_dropped(words):
    every, _ = words["positions"]
    found = [checks.kept(Mask(every.shape, rate).of_words(every).numpy(), rate) for rate in RATES]
    assert checks.passes(found)
    ends = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
    for rate, expected in ((0.0, [1, 1, 1, 1]), (0.5, [0, 0, 1, 1]), (1 - 2**-40, [0, 0, 0, 1])):
        assert Mask((4,), rate).of_words(ends).numpy().tolist() == expected


def one_for_all_uses(seed, use, shape):
    return random_words(seed, "any", shape)


def sixteen_bits_of_position(seed, use, shape):
    if np.prod(shape) <= 2**16:
        return random_words(seed, use, shape)
    positions = tf.reshape(tf.range(np.prod(shape)), shape)
    return tf.gather(random_words(seed, use, [2**16]), positions % 2**16)


def seed_xor_step(name, seed, step):
    low = tf.constant(seed, tf.int64) ^ tf.cast(step, tf.int64)
    return tf.stack([tf.cast(low, tf.int32), zlib.crc32(name.encode()) & 0x7FFFFFFF])


@pytest.mark.parametrize(
    ("name", "fault", "where"),
    [
        ("random_words", one_for_all_uses, "uses"),
        ("random_words", sixteen_bits_of_position, "positions"),
        ("stream_seed", seed_xor_step, "seeds and steps"),
    ],
)
def test_the_checks_catch_a_planted_fault_where_it_is(monkeypatch, name, fault, where):
    monkeypatch.setattr(noise, name, fault)
    monkeypatch.setattr(noise, "_compiled", noise._compiled.__wrapped__)  # leave nothing behind
    found = {
        (name, check)
        for name, of_name in drawn((128, 2**12)).items()
        for check in checks.CHECKS
        if not checks.passes(check(*of_name))
    }
    assert found == {(where, check) for check in checks.CHECKS}


def by_hand(seed, use, position):
    """Compute a word in Python's integers, as `leo_tf.meta.words` describes it."""

    def mixed(word):
        for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
            word = (word ^ word >> shift) * factor % 2**32
        return word ^ word >> 15

    low, high = (half % 2**32 for half in seed)
    keys = []
    for number in range(1, 5):
        of_seed = mixed((low + number * 0x9E3779B9) % 2**32) ^ high
        of_use = zlib.crc32(f"{use}/{number}".encode())
        keys.append(mixed((mixed(of_seed) + of_use) % 2**32))
    first, second = (
        mixed((mixed(position ^ key) + other) % 2**32) for key, other in (keys[:2], keys[2:])
    )
    return first ^ second


@pytest.mark.parametrize("jit_compile", [False, True])
def test_words_are_those_of_plain_integers(jit_compile):
    compiled = tf.function(random_words, jit_compile=jit_compile)
    for seed in ((0, 0), (-1, 1), (1, -1), (123456789, -(2**31))):
        found = compiled(tf.constant(seed), "decoder/3", (3, 50_000)).numpy().ravel()
        for position in (0, 1, 2, 255, 65_535, 65_536, 149_999):
            assert found[position] == by_hand(seed, "decoder/3", position)


def test_words_are_for_ever():
    """Those of a seed, and of a step: otherwise a run that goes on would draw other noise."""
    found = random_words(tf.constant([1, 2]), "latent", [3]).numpy()
    assert found.tolist() == [1664641185, 2569302292, 629309492]
    found = noise.draw({"latent": Words((3,))}, seed=7, step=11)["latent"].numpy()
    assert found.tolist() == [1548350201, 2682183002, 318553491]


def test_draws_are_named_by_what_they_are_for():
    spec = {"a": (Words((2, 3)), Words((4,))), "b": Words((5,))}
    seed = stream_seed("train/noise", 3, 4)
    expected = {
        "a": (random_words(seed, "a/0", (2, 3)), random_words(seed, "a/1", (4,))),
        "b": random_words(seed, "b", (5,)),
    }
    found = noise.draw(spec, 3, 4)
    tf.nest.map_structure(np.testing.assert_array_equal, found, expected)


def test_too_many_words_are_refused():
    with pytest.raises(ValueError, match="^latent: 2,147,483,648 random words are too many"):
        random_words(tf.constant([0, 0]), "latent", [2**16, 2**15])
