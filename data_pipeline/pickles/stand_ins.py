"""What a pickle's globals are for the reader: stand-ins of its own, inert names, or refused.

Nothing here runs, or even looks up, what a pickle names.
"""

import sys
from typing import Any

from data_pipeline.pickles.keys import plain_dict
from data_pipeline.pickles.pickled_array import Payload, PickledArray, PickledDtype


class Foreign:
    """A class or function that a pickle names and that is not known here; never looked up.

    Attributes:
      name: its module and name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


class ForeignObject(dict):
    """In place of an object of a class not known here: the items that the pickle gives it, if any.

    Dicts of other kinds than Python's are read by this. Lists of other kinds lose their items.

    Attributes:
      name: module and name of the class, or of the function that would have made it.
    """

    def __init__(self, name: str, items: object = ()) -> None:
        super().__init__(items if isinstance(items, dict) else ())
        self.name = name

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return self.name

    def append(self, item: Any) -> None:
        """Take an item of a list."""

    def extend(self, items: Any) -> None:
        """Take items of a list."""


def make(kind: Any, arguments: Any) -> Any:
    """Return what stands in for an object of a class that a pickle asks for.

    Raises:
      ValueError: `kind` is no class that may be made so.
    """
    if isinstance(kind, Foreign):
        return ForeignObject(kind.name)
    if any(kind is known for known in (_dict, _default_dict)):
        return kind(*arguments)
    raise ValueError("an object of something that is no class")


def _reconstruct(*_):
    """Stand-in for NumPy's function: an empty array, filled in by `build`."""
    return PickledArray()


def _from_buffer(data, dtype, shape, order):
    """Stand-in for NumPy's `_frombuffer`, which protocol 5 names."""
    return PickledArray().build((shape, dtype, order == "F", data))


def _scalar(dtype, data):
    """Stand-in for NumPy's `scalar`: items of lists made from arrays, such as `list(keys)`."""
    if dtype.numpy.kind == "V":
        return ForeignObject(f"NumPy scalar of {dtype.name}")
    if dtype.numpy.kind == "O":
        return data
    return PickledArray().build(((), dtype, False, data)).to_numpy()[()]


def _string_dtype(*_):
    """Stand-in for what makes NumPy 2's dtype of strings, whose arrays are pickled as lists."""
    return PickledDtype("O")


def _encode(text, encoding="latin1"):
    """Stand-in for `_codecs.encode`, by which Python 3 writes bytes in protocols 0 to 2."""
    if not isinstance(encoding, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("text in another encoding than latin1")
    return text if isinstance(text, Payload) else text.encode("latin1")


def _bytes(*_):
    """Stand-in for `bytes`, by which Python 3 writes an empty one in protocols 0 to 2."""
    return b""


def _dict(items=()):
    """Stand-in for dicts that differ from Python's in methods only."""
    return plain_dict(items)


def _default_dict(_=None, items=()):
    """Stand-in for `defaultdict`; what it would make of a missing key does not matter."""
    return plain_dict(items)


def _reconstruct_object(kind, _, state=None):
    """Stand-in for `copyreg._reconstructor`, which protocols 0 and 1 name for any object."""
    made = make(kind, ())
    made.update(state if isinstance(state, dict) else ())
    return made


def _new_object(kind, *arguments):
    """Stand-in for `copyreg.__newobj__`."""
    return make(kind, arguments)


BUILTINS = ("builtins", "__builtin__")
_NUMPY = ("numpy.core", "numpy._core")
GLOBALS = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledDtype,
    ("_codecs", "encode"): _encode,
    ("collections", "defaultdict"): _default_dict,
    ("collections", "OrderedDict"): _dict,
    ("collections", "Counter"): _dict,
    **{(builtins, "bytes"): _bytes for builtins in BUILTINS},
    **{(copyreg, "_reconstructor"): _reconstruct_object for copyreg in ("copyreg", "copy_reg")},
    **{(copyreg, "__newobj__"): _new_object for copyreg in ("copyreg", "copy_reg")},
    **{(f"{numpy}.multiarray", "_reconstruct"): _reconstruct for numpy in _NUMPY},
    **{(f"{numpy}.multiarray", "scalar"): _scalar for numpy in _NUMPY},
    **{(f"{numpy}.numeric", "_frombuffer"): _from_buffer for numpy in _NUMPY},
    **{(f"{numpy}._internal", "_convert_to_stringdtype_kwargs"): _string_dtype for numpy in _NUMPY},
}
CALLABLE = [known for known in dict.fromkeys(GLOBALS.values()) if known is not PickledArray]

# Modules and built-in types of Python that files of data name without any harm.
_HARMLESS_MODULES = frozenset(
    "_collections argparse array collections copy_reg copyreg datetime decimal enum fractions "
    "pathlib random uuid __main__".split()
)
_HARMLESS_BUILTINS = frozenset(
    "bool bytearray bytes complex dict float frozenset int list long object set slice str tuple "
    "range unicode xrange".split()
)
_PYTHON_2 = frozenset("__builtin__ commands imp os2 popen2 urllib2".split())
# What else, in the name of another library's function, tells that it runs what it is given.
_TELLTALE_MODULES = frozenset("builtins importlib nt os posix subprocess sys".split())
_TELLTALE_WORDS = frozenset(
    "compile eval exec execfile getattr import popen run runstring setattr shell system".split()
)


def is_hostile(module: str, name: str) -> bool:
    """Return whether a global is of the kind that runs code: what no file of data would name.

    Everything of Python's own is, but for containers and simple values, and so is what says in its
    name that it runs things. All else is a class or function of some other library or program.
    """
    if module in BUILTINS:
        return name not in _HARMLESS_BUILTINS
    if module == "types":
        return name != "SimpleNamespace"
    top = module.split(".")[0]
    if top not in _HARMLESS_MODULES and (top in sys.stdlib_module_names or top in _PYTHON_2):
        return True
    *modules, function = f"{module}.{name}".split(".")
    words = function.split("_")
    return not (_TELLTALE_MODULES.isdisjoint(modules) and _TELLTALE_WORDS.isdisjoint(words))
