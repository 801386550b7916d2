"""The labelled set: right records, and records with one known fault each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.benches.planted.answers import WRONG, first_wrong, is_wrong, other_forms, stated
from pipelines.benches.planted.cases import UNSPELLED, Case, slots, without
from pipelines.benches.planted.wordings import everyday_problems, phrases
from transforms.engine.ids import content_id
from transforms.programs.checks import FormReason, MeaningReason
from transforms.recipes.caco.answerability import InstructionReason
from transforms.recipes.caco.verify import VerifyReason
from transforms.sandbox.jobs import Status
from transforms.stages.grade import GradeReason
from transforms.text.answers import SMALL_NUMBERS
from transforms.text.reasoning import ReasoningReason

RIGHT = "right"
WRONG_ANSWER = (VerifyReason.LOW_AGREEMENT, GradeReason.NO_ANSWER_FOUND)
_ATTEMPTS = 4


@dataclass(frozen=True)
class Planted:
    """One record of the labelled set."""

    id: str
    fault: str
    """What is wrong with it; begins with `right` where nothing is."""
    family: str
    """`right`, `answer`, `solution`, `instruction` or `program`: where the fault is."""
    reasons: tuple[str, ...]
    """The reasons for which it should be rejected; none where it should be kept."""
    code: str
    instruction: str
    attempts: tuple[str, ...]
    input: str | None = None
    """Set (JSON) where the record has run already and enters at answerability."""
    output: str | None = None
    judged: bool = False
    """Whether it enters at verification: there is no instruction to judge."""


def _planted(case: Case, fault: str, family: str, reasons: Sequence[str], **changes: Any) -> Any:
    fields = {"code": case.code, "instruction": case.problem, **changes}
    return Planted(
        id=content_id("planted", case.id, fault),
        fault=fault,
        family=family,
        reasons=tuple(reasons),
        **fields,
    )


def solutions(case: Case, values: Sequence[Any], *purpose: str) -> tuple[str, ...]:
    """Language solutions that state these values, each in a notation of its own."""
    rng = case.rng("solutions", *purpose)
    closing = "" if case.language == "en" else phrases(case.language)["closing"]
    exact = re.search(r"\bround|decimal|nearest", case.problem) is not None
    return tuple(
        stated(value, rng, reasoning=case.reasoning, closing=closing, exact=exact)
        for value in values
    )


def right_records(case: Case) -> Iterator[Planted]:
    """Yields records to be kept: all attempts right, or three of four."""
    truth = case.answer
    place = f", in {phrases(case.language)['name']}" if case.kind == "worded" else ""
    attempts = solutions(case, [truth] * _ATTEMPTS, RIGHT)
    yield _planted(case, RIGHT + place, RIGHT, (), attempts=attempts)
    wrong = _some_wrong(case)
    if wrong is not None:
        noisy = solutions(case, [truth, wrong, truth, truth], "noisy")
        fault = "right, one attempt wrong" + place
        yield _planted(case, fault, RIGHT, (), attempts=noisy)


def right_in_other_forms(case: Case) -> Iterator[Planted]:
    """Yields records to be kept: all attempts right, and all in one unusual form."""
    if type(case.answer) is int:
        rng = case.rng("other forms")
        for number, form in enumerate(rng.sample(other_forms(case.answer, rng), 2)):
            attempts = (f"{case.reasoning}\n{form}",) * _ATTEMPTS
            record = _planted(case, "right, in another form", RIGHT, (), attempts=attempts)
            yield replace(record, id=f"{record.id}/{number}")


def _some_wrong(case: Case) -> Any:
    rng = case.rng("some wrong")
    makers = rng.sample(list(WRONG.values()), len(WRONG))
    found = (first_wrong(make, case.answer, rng) for make in makers)
    return next((value for value in found if value is not None), None)


def wrong_answers(case: Case) -> Iterator[Planted]:
    """Yields records whose attempts do not agree with the program: none may be accepted."""
    wrong = {name: first_wrong(make, case.answer, case.rng(name)) for name, make in WRONG.items()}
    wrong["swapped_inputs"] = case.swapped
    wrong["input_value"] = _an_input(case)
    for name, value in wrong.items():
        if value is not None and is_wrong(case.answer, value):
            texts = solutions(case, [value] * _ATTEMPTS, name)
            yield _planted(case, name, "answer", WRONG_ANSWER, attempts=texts)
    differing = [value for value in wrong.values() if value is not None][: _ATTEMPTS - 1]
    if len(differing) == _ATTEMPTS - 1 and all(is_wrong(case.answer, v) for v in differing):
        texts = solutions(case, [case.answer, *differing], "outvoted")
        yield _planted(case, "outvoted", "answer", WRONG_ANSWER, attempts=texts)
    # "X. or Y." is two sentences
    one_sentence = not str(case.answer).endswith(".")
    if differing and one_sentence and is_wrong(case.answer, differing[0]):
        texts = tuple(
            f"{case.reasoning}\nThe answer is {one} or {other}."
            for one, other in [(case.answer, differing[0]), (differing[0], case.answer)] * 2
        )
        yield _planted(case, "hedged", "answer", WRONG_ANSWER, attempts=texts)


def _an_input(case: Case) -> Any:
    return next(
        (v for v in case.input.values() if type(v) in (int, float) and is_wrong(case.answer, v)),
        None,
    )


def wrong_steps(case: Case) -> Iterator[Planted]:
    """Yields records whose attempts come to the right answer over a result that is wrong.

    It is off by 2 to 9: quotients may be rounded, to either side.
    """
    rng = case.rng("wrong step")
    places = list(re.finditer(r"(?<== )\d+(?![\d.,:/%]*\d|%)", case.reasoning))
    if places:
        place = rng.choice(places)
        off = str(int(place.group()) + rng.randint(2, 9))
        reasoning = case.reasoning[: place.start()] + off + case.reasoning[place.end() :]
        texts = solutions(replace(case, reasoning=reasoning), [case.answer] * _ATTEMPTS, "step")
        yield _planted(
            case, "wrong_step", "solution", (ReasoningReason.FALSE_EQUATION,), attempts=texts
        )


def loose_reasoning(case: Case, other: Case) -> Iterator[Planted]:
    """Yields records whose attempts state the right answer, to which their text does not lead.

    Args:
        other: a case of another seed, to take steps from.
    """
    rng = case.rng("loose reasoning")
    sentence = case.reasoning.splitlines()[0]

    def record(fault: str, reason: str, reasoning: str) -> Planted:
        text = stated(case.answer, rng, reasoning=reasoning)
        attempts = (text,) * _ATTEMPTS
        return _planted(case, fault, "solution", (reason,), attempts=attempts)

    yield record("no_reasoning", ReasoningReason.NO_REASONING, "")
    yield record("in_a_loop", ReasoningReason.REPETITIVE, "\n".join([sentence] * 150))
    yield record("steps_of_another", ReasoningReason.OTHER_PROBLEM, other.reasoning)
    if isinstance(case.answer, int) and not isinstance(case.answer, bool):
        wrong = case.answer + rng.randint(2, 9)
        told = f"{case.reasoning}\nSo in total it is {wrong}."
        yield record("other_conclusion", ReasoningReason.OTHER_CONCLUSION, told)


def wrong_programs(case: Case) -> Iterator[Planted]:
    """Yields records whose program is off by one, and whose attempts are right."""
    if isinstance(case.answer, int) and not isinstance(case.answer, bool):
        lines = case.code.rstrip().splitlines()
        code = "\n".join([*lines[:-1], f"{lines[-1]} + 1", ""])
        texts = solutions(case, [case.answer] * _ATTEMPTS, "program off by one")
        yield _planted(
            case, "program_off_by_one", "answer", WRONG_ANSWER, code=code, attempts=texts
        )


def wrong_instructions(case: Case, other: Case) -> Iterator[Planted]:
    """Yields records whose instruction cannot be answered as it stands.

    Args:
        other: a case of another seed, to ask a second question from.
    """
    texts = solutions(case, [case.answer] * _ATTEMPTS, "instruction")

    def record(fault: str, reason: str, instruction: str) -> Planted:
        return _planted(
            case, fault, "instruction", (reason,), instruction=instruction, attempts=texts
        )

    words = phrases(case.language)
    written = list(slots(case.problem, case.input).values())
    if written:
        text = without(case.problem, written[0], words["vague"])
        yield record("missing_value", InstructionReason.MISSING_INPUT_VALUE, text)
        named = f"{text} {words['label'].format(written[0])}"
        yield record("missing_value_is_a_label", InstructionReason.MISSING_INPUT_VALUE, named)
    if case.language == "en" and 2 in case.input.values():
        twos = list(re.finditer(r"\b(?:2|[Tt]wo)\b(?![.:/-])", case.problem))
        if len(twos) == 1:
            text = f"{case.problem[: twos[0].start()]}some{case.problem[twos[0].end() :]}"
            yield record("missing_two", InstructionReason.MISSING_INPUT_VALUE, text)
    question, before = _question(case.problem)
    if before and written and not any(number in question for number in written):
        yield record("vague", InstructionReason.MISSING_INPUT_VALUE, question)
    if before and "?" in question:
        yield record("not_a_question", InstructionReason.NOT_A_QUESTION, before)
    rng = case.rng("instruction")
    answer = case.answer if isinstance(case.answer, str) else json.dumps(case.answer)
    hint = rng.choice(("(The answer is {}.)", "Show that the result is {}.", "Hint: it is {}."))
    yield record(
        "leaks_answer", InstructionReason.LEAKS_ANSWER, f"{case.problem} {hint.format(answer)}"
    )
    spelled = SMALL_NUMBERS[case.answer] if case.answer in range(len(SMALL_NUMBERS)) else answer
    told = words["told"].format(spelled if case.language == "en" else answer)
    yield record("leaks_answer_in_words", InstructionReason.LEAKS_ANSWER, f"{case.problem} {told}")
    if type(case.answer) is int and abs(case.answer) > 2 and case.answer not in _numbers(case):
        aside = rng.choice(_ASIDES).format(answer)
        yield record("mentions_answer", InstructionReason.LEAKS_ANSWER, f"{case.problem} {aside}")
    shown = rng.choice(
        (
            "{0} Use the following program:\n{1}",
            "What does this Python code print?\n```python\n{1}```",
            "{0} Compute it as solution(**input) does.",
            "{0} Return the value of the function solution().",
        )
    )
    text = shown.format(case.problem, case.code)
    yield record("leaks_code", InstructionReason.LEAKS_CODE, text)
    second, _ = _question(other.problem)
    asked = rng.choice(("{0} {1}", "(a) {0}\n(b) {1}", "{0} Also, how many would it be in all?"))
    text = asked.format(case.problem, second)
    yield record("several_questions", InstructionReason.SEVERAL_QUESTIONS, text)
    further = words["second"] if case.language != "en" else rng.choice(_FURTHER_DEMANDS)
    yield record("two_demands", InstructionReason.SEVERAL_QUESTIONS, f"{case.problem} {further}")
    yield from _other_unit(case)


_ASIDES = (
    "(It comes to {}.)",
    "In the end there are {} of them.",
    "A friend says that {} is right.",
)
_FURTHER_DEMANDS = (
    "Determine also how long all of that takes.",
    "Then find the mean of all the numbers given.",
    "Also calculate the same for twice as many.",
    "How would this change if one more were added?",
)
_OTHER_UNITS = {"minutes": "hours", "hours": "minutes", "days": "weeks", "seconds": "minutes"}
_OTHER_UNITS |= {
    "metres": "centimetres",
    "centimetres": "metres",
    "cents": "euros",
    "euros": "cents",
}


def _other_unit(case: Case) -> Iterator[Planted]:
    """Yields a record that asks for hours where minutes are computed, and answered."""
    asks = re.search(r"[Hh]ow many (\w+)", case.problem)
    if asks and asks[1] in _OTHER_UNITS:
        text = re.sub(rf"(?<=ow many ){asks[1]}\b", _OTHER_UNITS[asks[1]], case.problem)
        answer = f"{case.reasoning}\nThe answer is {case.answer} {asks[1]}."
        reasons = (ReasoningReason.OTHER_UNIT, *WRONG_ANSWER)
        fields = {"instruction": text, "attempts": (answer,) * _ATTEMPTS}
        yield _planted(case, "other_unit", "instruction", reasons, **fields)


def _numbers(case: Case) -> set[int]:
    """The numbers of an input, however nested."""
    return {int(digits) for digits in re.findall(r"\d+", json.dumps(case.input))}


def _question(problem: str) -> tuple[str, str]:
    """Splits a text into the sentence that asks and what stands before it."""
    sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z(])", problem.strip())
    asking = [index for index, text in enumerate(sentences) if text.endswith("?")]
    start = asking[-1] if asking else len(sentences) - 1
    return " ".join(sentences[start:]), " ".join(sentences[:start])


def wrong_programs_by_form(case: Case) -> Iterator[Planted]:
    """Yields records whose program does not compute its answer from its input."""
    names = list(case.input)
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        return

    def record(fault: str, reasons: Sequence[str], body: Sequence[str], value: Any) -> Planted:
        code = _program(case, body)
        texts = solutions(case, [value] * _ATTEMPTS, fault)
        return _planted(case, fault, "program", reasons, code=code, attempts=texts)

    answer = repr(case.answer)
    seen = f"seen = [{', '.join(names)}]"
    count = "parts = len(seen)"
    yield record(
        "constant",
        (MeaningReason.CONSTANT_OUTPUT,),
        [seen, count, "spare = parts - parts", f"return {answer} if spare == 0 else {answer}"],
        case.answer,
    )
    copied = names[0]
    yield record(
        "copied",
        (MeaningReason.COPIES_INPUT,),
        [seen, count, f"result = {copied}", "return result"],
        case.input[copied],
    )
    noise, imports = case.rng("noise").choice(_NOISE)
    yield record(
        "nondeterministic",
        (Status.NONDETERMINISTIC, FormReason.BANNED_IMPORT, FormReason.BANNED_CALL),
        [*imports, seen, count, f"noise = {noise}", "return [parts, noise]"],
        [len(names), 0],
    )
    if len(names) > 1:
        yield record(
            "ignores_input",
            (FormReason.UNUSED_INPUT,),
            [f"first = {names[0]}", "result = [first, first]", "extra = len(result)",
             "return [result, extra]"],
            [[case.input[names[0]]] * 2, 2],
        )  # fmt: skip


_NOISE: tuple[tuple[str, list[str]], ...] = (
    ("random.random()", ["import random"]),
    ("hash(str(seen)) % 100000", []),
    ("id(seen) % 100003", []),
    ("list({str(n) for n in range(50)})[:5]", []),
    ("time.time()", ["import time"]),
)


def _program(case: Case, body: Sequence[str]) -> str:
    imports = [line for line in body if line.startswith("import ")]
    lines = [line for line in body if line not in imports]
    whole = [
        *imports,
        f"input = {case.input!r}",
        "",
        f"def solution({', '.join(case.input)}):",
        *(f"    {line}" for line in lines),
        "",
        "output = solution(**input)",
        "",
    ]
    return "\n".join(whole)


def plant(cases: Sequence[Case]) -> list[Planted]:
    """Returns the labelled set of cases from seeds: right records and every kind of fault.

    Faults of the instruction and of the program are planted in the seeds alone, not in their
    redrawn cases: other numbers would make them no other.
    """
    found: list[Planted] = []
    originals = [case for case in cases if "/" not in case.id]
    for case in cases:
        found += [*right_records(case), *wrong_answers(case), *wrong_programs(case)]
    for index, case in enumerate(originals):
        found += [*right_in_other_forms(case), *wrong_steps(case)]
        found += loose_reasoning(case, originals[index - 1])
        found += wrong_instructions(case, originals[index - 1])
        found += wrong_programs_by_form(case)
    return found


def plant_worded(cases: Sequence[Case], others: Sequence[Case]) -> list[Planted]:
    """Returns right and faulty records of problems in several wordings and languages.

    Args:
        others: cases of other problems, to take second questions from.
    """
    found: list[Planted] = []
    for index, case in enumerate(cases):
        found += [*right_records(case), *wrong_answers(case), *wrong_steps(case)]
        found += wrong_instructions(case, others[index % len(others)])
    return found


def plant_everyday() -> list[Planted]:
    """Returns right records whose instruction leaves to the reader what everybody knows."""
    return [
        Planted(
            id=content_id("planted", problem["text"]),
            fault="right, known to everybody",
            family=RIGHT,
            reasons=(),
            code="",
            instruction=problem["text"],
            attempts=(
                f"{problem['text']}\n{UNSPELLED}\nThe answer is {json.loads(problem['answer'])}.",
            )
            * _ATTEMPTS,
            input=json.dumps(problem["input"]),
            output=problem["answer"],
        )
        for problem in everyday_problems()
    ]


def plant_executed(cases: Sequence[Case]) -> list[Planted]:
    """Returns right and wrong answers for cases whose text is no problem in words (CodeI/O).

    They enter at verification: there is no instruction to judge.
    """
    found = []
    for case in cases:
        for record in (*right_records(case), *wrong_answers(case)):
            fields = {**vars(record), "input": json.dumps(case.input)}
            fields["output"] = json.dumps(case.answer, ensure_ascii=False)
            fields["judged"] = True
            found.append(Planted(**fields))
    return found
