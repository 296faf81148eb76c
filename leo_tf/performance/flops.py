"""Count the arithmetic of a compiled function."""

import math
import re
from typing import Any

_INSTRUCTION = re.compile(r"%?([\w.\-]+) = \w+\[([\d,]*)\]")
_PRODUCT = re.compile(
    r"= \w+\[([\d,]*)\]\S* dot\((?:\w+\[[\d,]*\]\S* )?%?([\w.\-]+),"
    r".*?lhs_contracting_dims=\{([\d,]*)\}"
)
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_LOOP = re.compile(r" while\(.*condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_LOOP_CONDITION = re.compile(r" while\(.*condition=%?([\w.\-]+)")
_CALL = re.compile(r" call\(.*to_apply=%?([\w.\-]+)")
_BOUND = re.compile(r"= s\d+\[\]\S* constant\((\d+)\)")


def matrix_products(function: Any, *arguments: Any) -> int:
    """Floating-point operations of the matrix products that one call of a function makes.

    A product with an output of n entries, each a sum over k, counts 2 n k. They are read off the
    program that TensorFlow hands to XLA, gradients included; of LEO's outer step XLA leaves out
    some 5 % as duplicates. Operations on single entries are not counted: they are below 5 %,
    however long they take.

    Args:
      function: a `tf.function` with jit_compile=True.
      *arguments: of the call.

    Raises:
      ValueError: a loop's number of turns is known only when it runs.
    """
    return count(function.experimental_get_compiler_ir(*arguments)(stage="hlo"))


def count(program: str) -> int:
    """Floating-point operations of the `dot` instructions in a program's HLO text.

    Those in a loop count once a turn. The loop of a gradient does not tell its turns, which are
    those of the loop that it is of.
    """
    computations, entry = _computations(program)
    turns = {
        name: _turns(computations, name)
        for lines in computations.values()
        for name in _LOOP_CONDITION.findall("\n".join(lines))
    }
    told = {bound for bound in turns.values() if bound}

    def turns_of(condition):
        if not turns[condition] and len(told) != 1:
            raise ValueError("products in a loop whose number of turns the program does not tell")
        return turns[condition] or min(told)

    def of(name):
        lines = computations[name]
        total = _products(lines)
        for line in lines:
            if loop := _LOOP.search(line):
                total += turns_of(loop[1]) * of(loop[2])
            elif call := _CALL.search(line):
                total += of(call[1])
        return total

    return of(entry)


def _computations(program) -> tuple[dict[str, list[str]], str]:
    """Return the lines of each computation of a program by its name, and the name of the main."""
    found: dict[str, list[str]] = {}
    name = entry = ""
    for line in program.splitlines():
        if header := _COMPUTATION.match(line):
            name = header[2]
            found[name] = []
            entry = name if header[1] else entry
        elif name:
            found[name].append(line)
    return found, entry


def _products(lines):
    """Operations of the products in the lines of a computation."""
    text = "\n".join(lines)
    shapes = {name: _shape(shape) for name, shape in _INSTRUCTION.findall(text)}
    total = 0
    for output, operand, summed in _PRODUCT.findall(text):
        terms = math.prod(shapes[operand][axis] for axis in _shape(summed))
        total += 2 * math.prod(_shape(output)) * terms
    return total


def _turns(computations, condition):
    """Turns of a loop from 0 on: the least bound that its condition compares; 0 for none."""
    text = "\n".join(computations[condition])
    parts = [text, *("\n".join(computations[name]) for name in _CALL.findall(text))]
    return min([int(bound) for part in parts for bound in _BOUND.findall(part)], default=0)


def _shape(text):
    return [int(size) for size in text.split(",") if size]
