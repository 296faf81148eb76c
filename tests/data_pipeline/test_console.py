"""Output to whatever standard output and error are."""

import codecs
import io
import sys

import pytest

from data_pipeline import console

TEXT = "61.76 ± 0.08 — Świątkowski, あ \udcff"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", "61.76 +- 0.08 - Swiatkowski, \\u3042 \\udcff"),
        ("latin-1", "61.76 ± 0.08 - Swiatkowski, \\u3042 \\udcff"),
        ("cp1252", "61.76 ± 0.08 — Swiatkowski, \\u3042 \\udcff"),
        ("koi8-r", "61.76 +- 0.08 - Swiatkowski, \\u3042 \\udcff"),
        ("utf-8", "61.76 ± 0.08 — Świątkowski, あ \\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_replaced(encoding, written):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    assert console.Console(stream).write(TEXT) == len(TEXT)
    stream.flush()
    assert raw.getvalue().decode(encoding) == written


def test_a_writer_without_an_encoding():
    raw = io.BytesIO()
    console.Console(codecs.getwriter("ascii")(raw)).write("±")
    assert raw.getvalue() == b"+-"


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_errors_name_standard_output_and_spare_standard_error():
    with pytest.raises(OSError, match="No space left") as raised:
        console.Console(Full(), "standard output").write("x")
    assert raised.value.filename == "standard output"
    assert console.Console(Full()).write("x") == 1


class Bare:
    """A stream with nothing but `write`."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def test_streams_that_are_hardly_any(monkeypatch):
    bare, closed = Bare(), io.StringIO()
    closed.close()
    for out, err in ((bare, None), (None, closed), (closed, bare)):
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with console.usable():
            print("±", flush=True)
            print("error", file=sys.stderr)
            assert not console.shows_progress()
        assert (sys.stdout, sys.stderr) == (out, err)
    assert bare.text == "±\nerror\n"
