"""The text of a unified program: its form, its inputs, its bans and its structure.

A unified program assigns a dict to `input`, defines `solution` and assigns `output`. Everything
here reads text only: no program runs.
"""

from transforms.programs.bans import ALLOWED_IMPORTS, banned
from transforms.programs.form import (
    Unparsable,
    assigned,
    code_lines,
    input_keys,
    is_unified,
    literal_input,
    masked_input,
    parse,
    with_input,
)
from transforms.programs.inputs import unused_inputs
from transforms.programs.structure import fingerprint

__all__ = [
    "ALLOWED_IMPORTS",
    "Unparsable",
    "assigned",
    "banned",
    "code_lines",
    "fingerprint",
    "input_keys",
    "is_unified",
    "literal_input",
    "masked_input",
    "parse",
    "unused_inputs",
    "with_input",
]
