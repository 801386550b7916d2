"""Labelled sets for the stages that compare records: copies at known similarity, and originals."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.benches.planted.answers import stated
from pipelines.benches.planted.cases import Case
from transforms.engine.ids import content_id
from transforms.engine.records import Attempt, Attempts, Example, Execution, Program, grow
from transforms.programs.checks import MeaningReason
from transforms.recipes.caco.verify import example
from transforms.stages.diversity.reasons import Sameness
from transforms.text.shingles import shingles, words


@dataclass(frozen=True)
class LabelledGroup:
    """Records of which a stated number should stay; which of them is the stages' own order."""

    fault: str
    reasons: tuple[str, ...]
    ids: tuple[str, ...]
    survivors: int


@dataclass(frozen=True)
class LabelledSet:
    """Records of one type, in groups."""

    records: tuple[Execution | Example, ...]
    groups: tuple[LabelledGroup, ...]


def as_execution(case: Case, code: str, *name: object) -> Execution:
    """The case's program as it is after its run."""
    execution = executed(
        program(content_id("planted", case.id, *name), code),
        input=json.dumps(case.input),
        output=json.dumps(case.answer, ensure_ascii=False),
    )
    return replace(execution, sensitive_keys=tuple(case.input))


def program(record_id: str, code: str) -> Program:
    """A planted program; its seed is itself, so that what later stages make of it names it."""
    return Program(
        id=record_id,
        code=code,
        seed_ids=(record_id,),
        source="planted",
        license="Apache-2.0",
        calls=(),
        tokens=0,
    )


def executed(planted: Program, input: str | None, output: str | None) -> Execution:
    """A planted program after a run that went well."""
    return grow(
        Execution,
        planted,
        status="ok",
        input=input,
        output=output,
        error=None,
        wall_seconds=0.0,
        cpu_seconds=0.0,
        peak_mb=0.0,
    )


def as_example(case: Case, instruction: str, *name: object) -> Example:
    """The case as an accepted row with this instruction."""
    text = stated(case.answer, case.rng("example"), reasoning=case.reasoning)
    execution = as_execution(case, case.code, *name)
    record = grow(Attempts, execution, instruction=case.problem)
    record = replace(record, attempts=(Attempt(text, "stop", agrees=True),))
    row = example(record, "planted", "planted")
    return replace(row, id=execution.id, instruction=instruction)


def jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    """Similarity of two texts' shingles: shared over all."""
    first, second = set(one), set(other)
    return len(first & second) / len(first | second)


def reworded(text: str, count: int) -> str:
    """Replaces `count` words, spread over the text, by words that it does not hold."""
    parts = text.split(" ")
    step = len(parts) / count
    for number in range(count):
        parts[len(parts) - 1 - int(number * step)] = f"qua{number}"
    return " ".join(parts)


def band(similarity: float) -> str:
    """The band that a similarity is reported in."""
    lows = (0.9, 0.8, 0.7, 0.5)
    highs = ("", " to 0.9", " to 0.8", " to 0.7")
    for low, high in zip(lows, highs, strict=True):
        if similarity >= low:
            return f"{low}{high or ' or more'}"
    return "below 0.5"


def program_set(cases: Sequence[Case], per_fingerprint: int) -> LabelledSet:
    """Copies of programs: laid out anew, with one number changed, with all names changed."""
    records: list[Execution | Example] = []
    groups: list[LabelledGroup] = []

    def add(fault: str, reasons: tuple[str, ...], found: list[Execution], stay: int) -> None:
        records.extend(found)
        groups.append(LabelledGroup(fault, reasons, tuple(record.id for record in found), stay))

    for index, case in enumerate(cases):
        original = as_execution(case, case.code, "program")
        if index % 3 == 0:
            copy = as_execution(case, laid_out_anew(case.code), "laid out anew")
            add("program laid out anew", (Sameness.DUPLICATE_PROGRAM,), [original, copy], 1)
        elif index % 3 == 1:
            copies = [
                as_execution(case, renamed(case.code, number), "renamed", number)
                for number in range(per_fingerprint + 2)
            ]
            reasons = (Sameness.FINGERPRINT_FULL, Sameness.NEAR_DUPLICATE)
            add("program with other names", reasons, [original, *copies], per_fingerprint)
        else:
            add("program of its own", (), [original], 1)
    return LabelledSet(tuple(records), tuple(groups))


def laid_out_anew(code: str) -> str:
    """The program without comments and blank lines, indented by two spaces, in other quotes."""
    lines = [line for line in code.splitlines() if line.strip() and line.strip()[0] != "#"]
    indented = [" " * ((len(line) - len(line.lstrip())) // 2) + line.lstrip() for line in lines]
    text = "\n".join(indented) + "\n"
    return text if "'" in text or 'f"' in text or "\\" in text else text.replace('"', "'")


def renamed(code: str, number: int) -> str:
    """The program with its input keys, parameters and variables named anew."""
    tree = ast.parse(code)
    bound = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    names = {name: f"v{name[::-1]}_{number}" for name in sorted(bound - {"input", "output"})}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for key in node.value.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    key.value = names.get(key.value, key.value)
    return ast.unparse(tree) + "\n"


def instruction_set(cases: Sequence[Case], ngram: int, threshold: float) -> LabelledSet:
    """Copies of instructions: the same words, and with more and more words replaced."""
    records: list[Execution | Example] = []
    groups: list[LabelledGroup] = []
    for index, case in enumerate(cases):
        level = index % 6
        original = as_example(case, case.problem, "row")
        found = [original]
        reasons: tuple[str, ...] = ()
        if level == 0:
            text = case.problem.upper().replace(". ", " . ").replace(",", " ,")
            fault, reasons, stay = "instruction set anew", (Sameness.DUPLICATE_INSTRUCTION,), 1
            found.append(as_example(case, text, "row anew"))
        elif level == 1:
            fault, stay = "instruction of its own", 1
        else:
            text = reworded(case.problem, level - 1 if level < 5 else 8)
            found.append(as_example(case, text, "row reworded"))
            similarity = jaccard(shingles(words(case.problem), ngram), shingles(words(text), ngram))
            alike = similarity >= threshold
            fault = f"instructions alike {band(similarity)}"
            reasons = (Sameness.NEAR_DUPLICATE,) if alike else ()
            stay = 1 if alike else 2
        records += found
        groups.append(LabelledGroup(fault, reasons, tuple(record.id for record in found), stay))
    return LabelledSet(tuple(records), tuple(groups))


def contaminated_set(cases: Sequence[Case], redrawn: Mapping[str, str]) -> LabelledSet:
    """Rows that repeat a benchmark's items in four ways, and rows of their own.

    Args:
        redrawn: {case id: its problem with other numbers}, of those that have one.
    """
    records: list[Execution | Example] = []
    groups: list[LabelledGroup] = []
    before = "Here is a question from a test that was set last year. Read it with care."
    for index, case in enumerate(cases):
        problem = case.problem
        ways = {"row of no benchmark": problem}
        if is_benchmark_item(index):
            ways = {
                "benchmark item": problem.upper().replace(".", " ."),
                "benchmark item, one word changed": reworded(problem, 1),
                "benchmark item in a longer text": f"{before} {problem} Explain each step.",
            }
            if case.id in redrawn:
                ways["benchmark item, other numbers"] = redrawn[case.id]
        for fault, text in ways.items():
            record = as_example(case, text, fault)
            records.append(record)
            stays = fault == "row of no benchmark"
            reasons = () if stays else (Sameness.CONTAMINATED,)
            groups.append(LabelledGroup(fault, reasons, (record.id,), int(stays)))
    return LabelledSet(tuple(records), tuple(groups))


def is_benchmark_item(index: int) -> bool:
    """Whether the case of this number is an item of the planted benchmark."""
    return index % 4 == 0


def trivial_set(cases: Sequence[Case], share: float) -> LabelledSet:
    """One yes/no program beside every other one that is not, to be capped at `share`."""
    flags = [replace(as_execution(c, c.code, "flag"), output="true") for c in cases[1::2]]
    others = [as_execution(case, case.code, "no flag") for case in cases[::2]]
    stay = int(share * len(others) / (1 - share) + 1e-9) if share < 1 else len(flags)
    group = LabelledGroup(
        "too many yes/no answers",
        (MeaningReason.TRIVIAL_OVER_SHARE,),
        tuple(flag.id for flag in flags),
        min(stay, len(flags)),
    )
    rest = LabelledGroup(
        "beside yes/no answers", (), tuple(record.id for record in others), len(others)
    )
    return LabelledSet((*flags, *others), (group, rest))
