r"""Answers, solutions, options and code as data sets write them, brought into a seed's form.

Where an answer stands inside a text is for `transforms.text.answers` to find; here is only
decided which texts are looked through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from transforms import programs
from transforms.engine.ids import canonical_json
from transforms.models.responses import extract_program
from transforms.text.answers import compare_plain, extract_answer
from transforms.text.thoughts import visible

NO_ANSWER = re.compile(
    r"""
    proofs? | (?:(?:answer|result|value)\ )?not\ ?found | n\.?/?a\.? | none | null | nan | nil
    | unknown | missing | tbd | omitted | no\ (?:final\ |single\ |unique\ )?answer
    | (?:(?:answers?|it)\ )?(?:(?:may|will)\ vary|varies|vary)
    | (?:please\ )?(?:see|refer\ to|cf\.?)\ (?:the\ )?(?:above|below|attached|solutions?|proof
        |explanations?|rationale|figure|text)(?:\ (?:above|below))?
    | not\ (?:available|applicable|provided) | [-–—?.…_*\s]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What stands in the place of an answer where there is none."""

_CALCULATION = re.compile(r"<<[^<>\n]*=[^<>\n]*>>")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NUMBER = re.compile(r"\d(?:[\d,./]*\d)?")
_WORKED_WORDS = 12
"""Words from which an answer is a worked solution rather than a phrase."""


class Stated(NamedTuple):
    """An answer, and the worked solution that it was taken from (None where there is none)."""

    answer: str | None
    solution: str | None


def split_steps(answer: str | None) -> Stated:
    """Splits an answer that ends in a line `#### 72`, as in GSM8K, into 72 and what precedes it."""
    steps, _, last = (answer or "").rstrip().rpartition("\n")
    final = last.removeprefix("####").strip() if last.startswith("####") else ""
    return Stated(final, steps.strip() or None) if final else Stated(answer, None)


def stated(answer: Any) -> Stated:
    r"""Returns the answer that a column's value states, in the shortest form.

    A value that is not text becomes its JSON (72, [1, 2], true), a list of one what it holds. A
    worked solution (`#### 72`, a box, "the answer is 72", or many words) gives its final answer,
    a sentence with one number that number. Other answers lose emphasis, `$` and a final period.

    >>> stated(["120"]).answer, stated(r"$\boxed{25}$").answer, stated("25 cm.").answer
    ('120', '25', '25 cm')
    """
    answer = only(answer)
    if not isinstance(answer, str):
        return Stated(canonical_json(answer), None)
    text, steps = split_steps(answer.strip())
    assert text is not None
    if steps is not None:
        return Stated(_bare(text), steps)
    listed = _listed(text)
    if listed is not None:
        return stated(listed)
    text = visible(text)
    worked = len(_WORD.findall(text)) >= _WORKED_WORDS
    sentence = text.endswith((".", "!")) and len(_WORD.findall(text)) > 2
    answer = marked(text)
    if answer is None and (worked or (sentence and len(_NUMBER.findall(text)) == 1)):
        answer = extract_answer(text)
    return Stated(answer or _bare(text), text if worked and answer else None)


def only(answer: Any) -> Any:
    """Returns what a list of one text or number holds; any other value as it is."""
    if isinstance(answer, list) and len(answer) == 1 and not isinstance(answer[0], (list, dict)):
        return only(answer[0])
    return answer


def marked(text: str) -> str | None:
    r"""Returns the answer that a text marks as such: the last box, or what "the answer is" tells.

    Without them `extract_answer` reads the last line; one without a number or formula gives none.
    """
    return extract_answer(f"{text}\n\nnone")


def _bare(text: str) -> str:
    """Takes off emphasis, math delimiters and a final period, as if the text stood in a box."""
    return extract_answer(f"\\boxed{{{text}}}") or text


def _listed(text: str) -> str | None:
    """The text that a JSON list of one text holds."""
    if not text.startswith('["'):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value[0] if len(value) == 1 and isinstance(value[0], str) else None


def with_answer(solution: str, answer: str | None) -> str | None:
    r"""Returns a worked solution without calculator marks, that ends by stating its answer.

    A thought before it (`<think>`) is left out; None where nothing else is there. The answer is
    added where the text marks none, or another.
    """
    text = _CALCULATION.sub("", visible(solution)).strip()
    if not text or answer is None or _states(text, answer):
        return text or None
    return f"{text}\nThe answer is {answer}."


def _states(text: str, answer: str) -> bool:
    found = marked(text)
    if found is None:
        return False
    return found == answer or compare_plain(_as_output(answer), found) is not False


def _as_output(answer: str) -> str:
    """An answer as a program would give it: JSON."""
    try:
        json.loads(answer)
    except (ValueError, RecursionError):
        return json.dumps(answer)
    return answer


# -------------------------------------------------------------------------------------------------
# Multiple choice


_OPTION = re.compile(r"\s*\(?([A-Z]|[a-z]|[0-9]{1,2})\s?[).:]\s*(.*)", re.DOTALL)
_LISTED = re.compile(r"(?:^|[,;\s\['\"])\(?([A-Za-z])\s?[).:]\s*")
_LABEL = re.compile(r"(?:(?:the )?(?:correct )?(?:answer|option|choice)[ :]*(?:is[ :]*)?)?"
                    r"[(\[]?([A-Za-z]|[0-9]{1,2})[)\].:]?", re.IGNORECASE)  # fmt: skip


def options_of(value: Any) -> dict[str, str] | None:
    """Returns label -> text of the options that a column holds, or None where it holds none.

    A list of texts, with labels (`A)21`) or without; `{"label": [...], "text": [...]}`;
    `{"A": "21"}`; a list of objects with a label (or key) and a text (or value); or one text:
    `a ) 38 , b ) 27`.
    """
    if isinstance(value, str):
        return _options_in(value)
    if isinstance(value, Mapping):
        for label, text in (("label", "text"), ("labels", "texts"), ("key", "value")):
            if isinstance(value.get(label), list) and isinstance(value.get(text), list):
                return _labelled(value[label], value[text])
        return _labelled(list(value), list(value.values()))
    if not isinstance(value, list) or len(value) < 2:
        return None
    if all(isinstance(option, Mapping) for option in value):
        for label, text in (("label", "text"), ("key", "text"), ("key", "value"), ("id", "text")):
            if all({label, text} <= option.keys() for option in value):
                return _labelled([o[label] for o in value], [o[text] for o in value])
        return None
    found = [_OPTION.fullmatch(text) if isinstance(text, str) else None for text in value]
    if all(found):
        labels = [match[1] for match in found if match]
        if labels[0] in "Aa1" and len({label.upper() for label in labels}) == len(labels):
            return _labelled(labels, [match[2] for match in found if match])
    return _labelled([chr(ord("A") + place) for place in range(len(value))], value)


def _options_in(text: str) -> dict[str, str] | None:
    """The options that a text lists under A, B, C ..., and nothing before them."""
    marks: list[re.Match[str]] = []
    for mark in _LISTED.finditer(text):
        if mark[1].upper() == chr(ord("A") + len(marks)):
            marks.append(mark)
    if not marks or text[: marks[0].start()].strip(" \n["):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts = [
        text[mark.end() : end].strip(" \t\r\n,;'\"]") for mark, end in zip(marks, ends, strict=True)
    ]
    return _labelled([mark[1] for mark in marks], texts)


def _labelled(labels: list[Any], texts: list[Any]) -> dict[str, str] | None:
    if len(labels) != len(texts) or len(texts) < 2:
        return None
    if any(isinstance(text, (list, dict)) or text is None for text in (*labels, *texts)):
        return None
    plain = [text if isinstance(text, str) else canonical_json(text) for text in texts]
    made = {str(label).upper(): text.strip() for label, text in zip(labels, plain, strict=True)}
    return made if len(made) == len(texts) and all(made.values()) else None


def chosen(answer: Any, options: Mapping[str, str]) -> str | None:
    """Returns the text of the option that an answer names; None where it names none.

    An answer is a label (E, (E), "the answer is E"), the place of an option (an integer from 0,
    where the labels are letters), or the option's own text.
    """
    texts = list(options.values())
    if isinstance(answer, int) and not isinstance(answer, bool) and "A" in options:
        place = texts[answer] if 0 <= answer < len(texts) else None
        own = str(answer) if str(answer) in texts else None
        return (place or own) if not (place and own and place != own) else None
    text = answer.strip() if isinstance(answer, str) else canonical_json(answer)
    text = marked(text) or text
    label = _LABEL.fullmatch(text)
    if label and label[1].upper() in options:
        return options[label[1].upper()]
    listed = _OPTION.fullmatch(text)
    if listed and _same_text(options.get(listed[1].upper(), ""), listed[2]):
        return options[listed[1].upper()]
    same = [option for option in texts if _same_text(option, text)]
    return same[0] if same else None


def _same_text(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def is_label(answer: Any) -> bool:
    """Whether an answer can only be read as the label of an option."""
    return isinstance(answer, str) and bool(_LABEL.fullmatch(answer.strip())) and (
        re.search(r"[A-Za-z]\W*\Z", answer) is not None
    )  # fmt: skip


def with_options(problem: str, options: Mapping[str, str]) -> str:
    """Returns the problem with its options below, unless it lists them itself."""
    if all(f"{label})" in problem and text in problem for label, text in options.items()):
        return problem
    lines = "\n".join(f"({label}) {text}" for label, text in options.items())
    return f"{problem.strip()}\n\nOptions:\n{lines}"


# -------------------------------------------------------------------------------------------------
# Code


def unified_code(code: str) -> str | None:
    """Returns code that has the unified form, taken out of its fence, or None where it has not."""
    if _is_unified(code):
        return code
    program = extract_program(code)
    return program if program is not None and _is_unified(program) else None


def _is_unified(code: str) -> bool:
    try:
        return programs.is_unified(programs.parse(code))
    except programs.Unparsable:
        return False
