"""The CodeI/O programs that reasoning-gym ships, turned into unified programs.

Each comes as a function `main_solution` with its helpers, a description, and a generator of inputs.
The generator was written by a model, so it runs in the sandbox; here text is only put together.
"""

from __future__ import annotations

import ast
import gzip
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms import programs
from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SourceError
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Seed
from transforms.engine.versions import versions
from transforms.models.driver import Drive
from transforms.models.episode import Steps
from transforms.sandbox.sandbox import Job, Result, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import ReadInOrder, SourceSettings
from transforms.sources.rows import Row, SeedReason, parsed

NAME = "reasoning-gym/codeio"
LICENSE = "Apache-2.0"

MAX_INPUT_CHARS = 2_000
"""Longest drawn input, as JSON: it stands in the problem, which a person should be able to read."""

_BOILERPLATE = re.compile(
    r"[ \t]*# *(?:import necessary packages"
    r"|(?:all )?class and function definitions in the code file.*"
    r"|main function"
    r"|all input arguments of the main_solution function.*"
    r"|if you need to invoke functions that require non-json.*"
    r"|they will be used in the main_solution function.*"
    r"|return, the returned value must be json.*"
    r") *(?:\n|$)",
    re.IGNORECASE,
)
"""Comments with which the programs' author was instructed; they say nothing of the program."""


class CodeIOSource(SourceSettings):
    """The CodeI/O programs that reasoning-gym ships, in the unified form."""

    type: Literal["codeio"]
    seed: int = Field(0, ge=0, description="seed of each program's input generator")

    def check(self) -> list[str]:
        """Looks for the file of programs.

        Raises:
            SourceError: it is not there.
        """
        data_file()
        return []

    def rows(self) -> beam.PTransform:
        return ReadInOrder(self, read)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return DrawInputs(self, sandbox)

    def content(self) -> Any:
        return versions().get("reasoning-gym")


class NotConvertible(ValueError):
    """The program cannot be written in the unified form; the message says why."""


def data_file() -> Path:
    """Returns the file of programs inside the installed reasoning-gym, which is not imported.

    Raises:
        SourceError: reasoning-gym, or the file, is not installed.
    """
    spec = importlib.util.find_spec("reasoning_gym")
    if spec is None or spec.origin is None:
        raise SourceError("source=codeio needs reasoning-gym: pip install 'cotmill[gym]'")
    path = Path(spec.origin).parent / "data" / "codeio.jsonl.gz"
    if not path.is_file():
        raise SourceError(
            "source=codeio: this reasoning-gym ships no codeio.jsonl.gz: "
            "pip install 'reasoning-gym>=0.1.25'"
        )
    return path


def read(source: CodeIOSource) -> Iterator[Row]:
    """Yields the programs as they come, the first `limit` of them."""
    with gzip.open(data_file(), "rt", encoding="utf-8") as lines:
        for number, line in enumerate(islice(lines, source.limit)):
            yield Row.make(NAME, line.strip(), f"program {number}")


def seed_of(row: Row, source: CodeIOSource) -> Steps[tuple[Row, Seed | Verdict]]:
    """Returns the row with the seed that it makes with an input drawn, or why it makes none."""
    data = parsed(row.raw)
    missing = _missing(data)
    if missing:
        return row, reject(SeedReason.MISSING_FIELD, f"{row.place}: {missing}")
    seed = derived_seed(source.seed, "codeio", row.id)
    result = yield Job(
        f"{data['code_sample']}\n\nfrom random import Random\n\n{data['input_generator']}\n\n"
        f"output = generate_inputs(Random({seed}))\n"
    )
    try:
        drawn = drawn_input(result)
        code = unified(data["code_sample"], drawn)
    except NotConvertible as error:
        return row, reject(SeedReason.NOT_CONVERTIBLE, f"{row.place}: {error}")
    told = {key: value for key, value in data.items() if key != "code_sample"}
    return row, Seed.make(
        problem=problem_text(data["task_description"], data["input_output_spec"], drawn),
        code=code,
        kind="codeio",
        source=row.source,
        license=LICENSE,
        metadata=canonical_json(told),
    )


def _missing(data: Any) -> str:
    if not isinstance(data, dict):
        return "not a JSON object"
    names = ("task_description", "input_output_spec", "code_sample", "input_generator")
    lacking = [
        name for name in names if not (isinstance(data.get(name), str) and data[name].strip())
    ]
    return f"no {', '.join(lacking)}" if lacking else ""


def drawn_input(result: Result) -> dict[str, Any]:
    """Returns the input that a run of the generator drew.

    Raises:
        NotConvertible: the run failed, or its input is not a short JSON object with keys.
    """
    if result.status is not Status.OK:
        what = ": ".join(part for part in (result.error_type, result.error) if part)
        raise NotConvertible(f"its input generator ended with {result.status}: {what}")
    if result.output is None:
        raise NotConvertible(f"its input is not JSON: {result.error}")
    drawn = json.loads(result.output)
    if not isinstance(drawn, dict) or not drawn:
        raise NotConvertible("its input is not an object with keys")
    if len(result.output) > MAX_INPUT_CHARS:
        raise NotConvertible(f"its input takes {len(result.output)} characters")
    return drawn


def problem_text(description: str, spec: str, drawn: dict[str, Any]) -> str:
    """Returns a question that stands alone: the task, what goes in and out, and the input."""
    values = "\n".join(
        f"  {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in drawn.items()
    )
    return (
        f"{description.strip()}\n\n{spec.strip()}\n\nWhat is the output for this input?\n{values}"
    )


def unified(code: str, drawn: dict[str, Any]) -> str:
    """Returns the program in the unified form: imports, `input`, helpers, `solution`, `output`.

    Imports that nothing uses are left out, and so are the comments that instructed its author; the
    rest keeps its text, its comments included.

    Raises:
        NotConvertible: it does not parse, has no `main_solution` that takes the input, uses a name
            of the unified form for something else, or imports or calls what no program may.
    """
    tree = _parse(code)
    main = next(
        (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main_solution"), None
    )
    if main is None:
        raise NotConvertible("it defines no main_solution")
    _check_call(main.args, set(drawn))
    _check_names(tree)
    lines = code.splitlines(keepends=True)
    imports, parts, end = [], [], 0
    for statement in tree.body:
        assert statement.end_lineno is not None
        text = "".join(lines[end : statement.end_lineno])
        end = statement.end_lineno
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports += _used_imports(statement, tree)
        else:
            parts.append(_clean(text))
    head = "\n".join(imports) + "\n\n" if imports else ""
    body = re.sub(r"(?m)^def main_solution\b", "def solution", "\n\n".join(parts), count=1)
    result = f"{head}input = {drawn!r}\n\n{body}\n\noutput = solution(**input)\n"
    made = _parse(result)
    if not programs.is_unified(made):
        raise NotConvertible("its parts do not come out as a unified program")
    found = programs.banned(made)
    if found is not None:
        raise NotConvertible(f"{'imports' if found[0] == 'import' else 'uses'} {found[1]}")
    return result


def _parse(code: str) -> ast.Module:
    try:
        return programs.parse(code)
    except programs.Unparsable as error:
        raise NotConvertible(f"it does not parse: {error}") from error


def _check_call(args: ast.arguments, keys: set[str]) -> None:
    """Checks that `solution(**input)` can be called with these keys."""
    names = [parameter.arg for parameter in (*args.args, *args.kwonlyargs)]
    needed = [parameter.arg for parameter in args.args[: len(args.args) - len(args.defaults)]]
    needed += [
        parameter.arg
        for parameter, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default is None
    ]
    unknown = keys - set(names)
    if (unknown and args.kwarg is None) or args.posonlyargs or not set(needed) <= keys:
        raise NotConvertible(
            f"its generator gives {', '.join(sorted(keys))}; its function takes {', '.join(names)}"
        )


def _check_names(tree: ast.Module) -> None:
    """Checks that the names which the unified form adds are free, and the one it drops unused."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "main_solution":
            raise NotConvertible("it uses main_solution by name")
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            bound = {statement.name}
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            bound = {alias.asname or alias.name for alias in statement.names}
        else:
            bound = {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
        taken = bound & {"input", "solution", "output"}
        if taken:
            raise NotConvertible(f"it defines {', '.join(sorted(taken))} itself")


def _used_imports(statement: ast.Import | ast.ImportFrom, tree: ast.Module) -> list[str]:
    """Returns the import with the names that the program mentions, or nothing."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    wanted = [
        alias
        for alias in statement.names
        if alias.name == "*" or (alias.asname or alias.name.partition(".")[0]) in used
    ]
    if not wanted:
        return []
    statement.names = wanted
    return [ast.unparse(statement)]


def _clean(text: str) -> str:
    """Drops the boilerplate comments and the blank lines around a part."""
    kept = [line for line in text.splitlines() if not _BOILERPLATE.fullmatch(line)]
    return "\n".join(kept).strip("\n")


@dataclass
class DrawInputs(beam.PTransform):
    """PCollection[Row] -> PCollection[(Row, Seed | Verdict)]: runs the input generators."""

    source: CodeIOSource
    sandbox: SandboxSettings

    def expand(self, rows: PCollection) -> PCollection:
        drive = Drive("seeds", partial(seed_of, source=self.source), sandbox=self.sandbox)
        return (rows | "Spread" >> beam.Reshuffle() | "Draw inputs" >> drive).results
