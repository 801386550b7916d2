"""compiler_ir: LLVM's graph, path and output of a program are what the program itself does."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs_for_tests import SANDBOX
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.engine.errors import SettingsError
from transforms.models.driver import drive
from transforms.programs import loops
from transforms.programs.form import parse
from transforms.programs.integer_ir import NotCompilable, compiled
from transforms.programs.ir_runs import follows, run
from transforms.recipes import compiler_ir
from transforms.stages.graders import grade

CODE = """
def rest(n, k=-3):
    total = 0
    for i in range(n, 0, -2):
        if i % k == 0 or i > 7 and not i == 9:
            total -= i // k
        elif 2 < i <= 3:
            continue
        else:
            total, i = total + i, 0
            if total > 50:
                break
    return total

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def solution(a, b):
    while True:
        a += 1
        if a ** 2 > abs(b):
            return rest(a, -3) + fib(5) - max(a, b, 3) + (b >> 1) + int(-a & 6 | 1 ^ b << 2)
"""


def python(code: str) -> Any:
    space: dict[str, Any] = {}
    exec(code, space)  # of this file
    return space["solution"]


def ran(code: str, inputs: list[list[int]], levels: tuple[int, ...] = (0, 2)) -> Any:
    """Runs IR in this process: for programs of this file alone."""
    tree = parse(code)
    return run(compiled(tree), compiled(tree, checked=True), list(levels), inputs, 10_000)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-900, 900)), min_size=1, max_size=5))
def test_ir_gives_what_python_gives_and_its_runs_stay_in_its_graph(
    inputs: list[tuple[int, int]],
) -> None:
    for level in ran(CODE, [[*each] for each in inputs]):
        assert [output for output, _ in level["runs"]] == [python(CODE)(*each) for each in inputs]
        assert all(follows(level["graph"], path) for _, path in level["runs"])


@pytest.mark.parametrize("code", ["a // b", "a % b", "a // -b", "-a % b", "a % b // 2", "a ** 3"])
def test_arithmetic_is_pythons_for_all_signs(code: str) -> None:
    code = f"def solution(a, b):\n    return {code}"
    inputs = [[a, b] for a in (-7, -6, 0, 6, 7) for b in (-3, -2, 1, 3)]
    [level] = ran(code, inputs, (0,))
    assert [output for output, _ in level["runs"]] == [python(code)(*each) for each in inputs]


def test_a_number_that_integer_overflow_is_noticed_where_the_output_does_not_show_it() -> None:
    code = "def solution(a):\n    return a * a * 16 % 16"
    assert ran(code, [[3]]) is not None
    assert ran(code, [[3], [2**62]]) is None


def test_no_name_of_a_program_is_taken_for_one_of_ours_or_the_c_library() -> None:
    code = """
def left(entry, counter):
    for i in range(counter):
        for counter in range(3):
            entry += entry * i
    return entry
def begins(i): return i + 1
def malloc(n): return n * 8 + begins(n)
def solution(entry, counter):
    return left(entry, counter) + malloc(counter)
"""
    for level in ran(code, [[3, 4], [1, 2]]):
        assert [output for output, _ in level["runs"]] == [python(code)(3, 4), python(code)(1, 2)]
        assert all(follows(level["graph"], path) for _, path in level["runs"])


def test_what_cannot_be_compiled_is_named() -> None:
    for body, named in [
        ("return a / 2", "Div"),
        ("return [a]", "[a]"),
        ("for i in a: pass", "loop"),
        ("return len(a)", "len"),
        ("if a: return 1", "without a return"),
        ("return 1.5", "1.5"),
        ("return 2 ** a", "power"),
    ]:
        with pytest.raises(NotCompilable, match=re.escape(named)):
            compiled(parse(f"def solution(a):\n    {body}"))


def test_a_path_is_refused_where_it_leaves_the_graph() -> None:
    graph = {"f:entry": ["f:a"], "f:a": [], "g:entry": ["g:b"], "g:b": ["g:b", "g:c"], "g:c": []}
    path = ["g:entry", "g:b", "f:entry", "f:a", "g:b", "g:c"]
    assert follows(graph, path)
    for place in (0, 3):
        assert not follows(graph, path[:place] + path[place + 1 :])


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(each["code"]) for each in loops.programs(4)]
    kept, reasons = played(stage("compiler_ir", "ask"), *seeds)
    assert {*reasons} <= {"too_long"}
    return kept


def blocks_of(ir: str) -> dict[str, list[str]]:
    """Blocks and successors, read from the text alone."""
    found: dict[str, list[str]] = {}
    for line in ir.split("\n"):
        if label := re.fullmatch(r"([\w.]+):", line):
            block = found.setdefault(label[1], [])
        elif line.startswith("  br ") or "label %" in line and " phi " not in line:
            block += [name for name in re.findall(r"label %([\w.]+)", line) if name not in block]
    return found


def test_the_ir_of_a_row_is_llvms_and_its_graph_is_that_of_the_terminators(rows: list[Any]) -> None:
    assert {row.task for row in rows} == {"output", "lift", "cfg", "path", "next_block"}
    for row in rows:
        ir = json.loads(row.shown)["ir"]
        llvm.parse_assembly(ir).verify()
        assert ir in row.messages[0].content and "preds" not in ir
        if row.task == "cfg":
            assert ast.literal_eval(json.loads(row.answer)[0]) == blocks_of(ir)


def test_every_edge_that_a_run_takes_is_in_the_graph_and_leads_to_the_output(
    rows: list[Any],
) -> None:
    told_of = 0
    for row in rows:
        shown, gold = json.loads(row.shown), json.loads(row.answer)[0]
        graph = blocks_of(shown["ir"])
        if row.task == "path":
            path = ast.literal_eval(gold)
            assert path[0] == "entry" and graph[path[-1]] == []
            assert all(after in graph[block] for block, after in pairwise(path))
        elif row.task == "next_block":
            assert (
                ast.literal_eval(gold) in graph[shown["block"]] and len(graph[shown["block"]]) > 1
            )
        elif row.task == "output":
            assert int(gold) == python(row.code)(**shown["given"])
            if told := re.match(r"The blocks of the run, .*: (.*)\.\n", row.messages[-1].content):
                told_of += 1
                path = told[1].split(", ")
                assert path[0] == "entry" and graph[path[-1]] == []
                assert all(after in graph[block] for block, after in pairwise(path))
    assert told_of >= 2


def test_the_right_answer_is_right_and_another_is_not(rows: list[Any]) -> None:
    answers = {
        "output": "```\n1234567\n```",
        "cfg": "```\n{'entry': []}\n```",
        "path": "```\n['entry']\n```",
        "next_block": "```\n'entry'\n```",
        "lift": "```\ninput = {'a': 1}\n\ndef solution(a, b):\n    return 1\n\n"
        "output = solution(**input)\n```",
    }
    said = {id(row): (row.messages[-1].content, answers[row.task]) for row in rows}
    for place, score in ((0, 1.0), (1, 0.0)):
        marks = drive(rows, lambda row, n=place: grade(row, said[id(row)][n]), sandbox=SANDBOX)
        assert {mark.score for mark in marks} == {score}


@pytest.mark.parametrize(
    ("given", "body", "reason"),
    [
        ("{'a': 'x'}", "return a * 2", "not_compilable"),
        ("{'a': 3}", "return sum([a])", "not_compilable"),
        ("{'a': 4611686018427387904}", "return a * 4 % 3 + a % 7", "integer_overflow"),
        ("{'a': 3}", "return a / 2", "not_compilable"),
        ("{'a': 3}", "return a > 2", "no_pairs"),
    ],
)
def test_a_program_without_a_fair_question_is_rejected_by_name(
    given: str, body: str, reason: str
) -> None:
    code = f"input = {given}\n\ndef solution(a):\n    {body}\n\noutput = solution(**input)\n"
    assert played(stage("compiler_ir", "ask"), seed_of(code))[1] == [reason]


def test_drawn_programs_are_the_same_again_and_differ_from_each_other() -> None:
    drawn = list(loops.programs(30))
    assert drawn[:10] == list(loops.programs(10))
    assert len({each["code"] for each in drawn}) == 30
    compared = [re.findall(r"(\w+) > (\w+):", each["code"]) for each in drawn]
    assert all(one != other for pairs in compared for one, other in pairs)


def test_without_llvmlite_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler_ir, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=re.escape("pip install 'cotmill[ir]'")):
        stage("compiler_ir", "ask")
