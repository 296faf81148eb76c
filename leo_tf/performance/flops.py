"""Count the arithmetic of a compiled function."""

import math
import re
from typing import Any

_INSTRUCTION = re.compile(r"%?([\w.\-]+) = \w+\[([\d,]*)\]")
_PRODUCT = re.compile(
    r"= \w+\[([\d,]*)\]\S* dot\((?:\w+\[[\d,]*\]\S* )?%?([\w.\-]+),"
    r".*?lhs_contracting_dims=\{([\d,]*)\}"
)


def matrix_products(function: Any, *arguments: Any) -> int:
    """Floating-point operations of the matrix products that one call of a function makes.

    A product with an output of n entries, each a sum over k, counts 2 n k. They are read off the
    program that TensorFlow hands to XLA, gradients included; of LEO's outer step XLA leaves out
    some 5 % as duplicates. Operations on single entries are not counted: they are below 5 %,
    however long they take.

    Args:
      function: a `tf.function` with jit_compile=True.
      *arguments: of the call.
    """
    return count(function.experimental_get_compiler_ir(*arguments)(stage="hlo"))


def count(program: str) -> int:
    """Floating-point operations of the `dot` instructions in a program's HLO text."""
    shapes = {name: _shape(shape) for name, shape in _INSTRUCTION.findall(program)}
    total = 0
    for output, operand, summed in _PRODUCT.findall(program):
        terms = math.prod(shapes[operand][axis] for axis in _shape(summed))
        total += 2 * math.prod(_shape(output)) * terms
    return total


def _shape(text):
    return [int(size) for size in text.split(",") if size]
