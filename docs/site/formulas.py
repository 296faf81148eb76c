"""Formulas as MathML, which browsers show without a script."""

import re

from latex2mathml.converter import convert

BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$`(.+?)`\$", re.DOTALL)
# Browsers no longer know the attribute for script letters; the letters themselves they do.
SCRIPT = re.compile(r'<mi mathvariant="script">(.)</mi>')
LETTERS = dict(zip("DLNT", "𝒟ℒ𝒩𝒯", strict=True))
NAME = re.compile(r"<mo>([a-z]+)</mo>")  # a function's name; space around it is for operators
DRAWN_FROM = "<mi>&#x0007E;</mi>", "<mo>∼</mo>"  # a relation, with space around it
# A prime is raised and small in the fonts already; as an exponent it is a speck.
PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>&#x02032;</mi></msup>")
PRIME_AND_INDEX = re.compile(
    r"<msubsup>(<mi>[^<]*</mi>)(<mi>[^<]*</mi>)<mi>&#x02032;</mi></msubsup>"
)


def rendered(text: str, fence: re.Pattern[str]) -> str:
    """Return Markdown with its formulas, ```math and $`...`$ as GitHub has them, as MathML.

    Args:
      text: a page.
      fence: what finds blocks of code; formulas are looked for elsewhere alone.

    Raises:
      KeyError: a script letter that `LETTERS` has not.
    """
    parts = fence.split(text)
    return "".join(_block(part) if part.startswith("```") else _inline(part) for part in parts)


def _block(part):
    match = BLOCK.fullmatch(part)
    return f'<div class="formula">{_mathml(match[1], "block")}</div>' if match else part


def _inline(part):
    return INLINE.sub(lambda match: f"<span>{_mathml(match[1], 'inline')}</span>", part)


def _mathml(latex, display):
    shown = convert(" ".join(latex.split()), display=display)
    shown = NAME.sub(r"<mi>\1</mi>", shown)
    shown = PRIME.sub(r"<mrow>\1<mi>′</mi></mrow>", shown.replace(*DRAWN_FROM))
    shown = PRIME_AND_INDEX.sub(r"<msub><mrow>\1<mi>′</mi></mrow>\2</msub>", shown)
    return SCRIPT.sub(lambda match: f"<mi>{LETTERS[match[1]]}</mi>", shown)
