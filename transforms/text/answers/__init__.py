r"""Finds a language solution's final answer and decides whether it agrees with a program's output.

The program's output is the truth, so a false agreement costs more than a missed one: where a rule
would have to guess, the answer does not agree. Three steps, cheap before dear:

1. `extract_answer` finds the answer in a text (`extract`). Sources may use it for their references.
2. `compare_plain` reads both sides with exact arithmetic and evaluates nothing (`compare`, with
   `latex`, `brackets`, `quantity` and `calendar` below it, and the words of 20 languages in
   `lexicon`, `arabic`). It settles nearly every answer, and safely so on text that a model wrote.
3. What needs algebra (`2\sqrt{3}` against `3.4641016151`) is left to math-verify, in a program that
   `compare_program` writes (`symbolic`, `formulas`) and the caller runs inside the sandbox, because
   sympy evaluates what it parses.

The rules:

- Integer output: exactly equal. Float output: within 1e-6 of it, or equal when rounded to the
  decimals that the answer states, whichever is looser, and never more than 1e-3 off (both
  relative). An answer without a decimal point states no decimals, and against a whole float it is
  held to be exact.
- A percent sign is a unit, never a factor of 100: `12%` agrees with 12, not with 0.12; `5%` does
  not agree with 0.05, nor 5 with 500. Units are read past and never converted: `1.5 hours` is not
  90; of `12 m 30 cm` the number is 12.3. `million` and `lakh` are part of the number, `dozen` is a
  unit in `3 dozen` and a number in words (`half a dozen` is 6); `5 pairs`, `5 doubled` and
  `5 years ago` are not 5. A number marked with its base is its digits or its value; the modulus
  behind one, `3 (mod 7)`, is read past.
- Booleans agree with true/false and yes/no, never with 1/0. Strings agree when equal up to case,
  spacing, quotes, LaTeX's `\text` and closing punctuation, as ratios, times, dates and durations
  where both are one (90 minutes is 1 hour 30 minutes). A clock time with AM/PM agrees with one
  without only where that has an hour of the 24-hour clock alone (0, 13 to 23).
- Lists agree in order, whatever brackets stand around them; in any order where both may be a set:
  the answer wrote braces, "or", a plus-minus sign or one name with each value (x = 2 and x = 3),
  and the output is sorted, each value once. A half-open interval is not a list. Dicts agree key by
  key.
- What an instruction asks for decides first (`as_asked`): a list in order, so many decimals, lowest
  terms.
"""

from transforms.text.answers.asked import as_asked
from transforms.text.answers.compare import compare_plain, compare_program
from transforms.text.answers.extract import extract_answer, final_answer, without_next_problem
from transforms.text.answers.lexicon import SMALL_NUMBERS, spelled
from transforms.text.answers.outputs import answer_type, plain_answer

__all__ = [
    "SMALL_NUMBERS",
    "answer_type",
    "as_asked",
    "compare_plain",
    "compare_program",
    "extract_answer",
    "final_answer",
    "plain_answer",
    "spelled",
    "without_next_problem",
]
