"""The code that decides a stage's rows, as one digest: a change of it makes rows stale."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from transforms import HOMES
from transforms.engine.ids import content_id
from transforms.engine.paths import cache_folder
from transforms.engine.tables import write_text

_MACHINERY = (
    "transforms.engine.errors",
    "transforms.engine.progress",
    "transforms.engine.remote",
    "transforms.engine.run_folder",
    "transforms.engine.run_settings",
    "transforms.engine.runner_settings",
    "transforms.engine.runners",
    "transforms.engine.settings",
    "transforms.engine.tables",
    "transforms.engine.versions",
    "transforms.engine.worker",
    "transforms.models.backends",
    "transforms.models.budget",
    "transforms.models.digests",
    "transforms.models.embedded",
    "transforms.models.engines",
    "transforms.models.identity",
    "transforms.models.ledger",
    "transforms.models.observations",
    "transforms.models.prompts",
    "transforms.models.replay",
    "transforms.models.requests",
    "transforms.models.settings",
    "transforms.models.tokens",
    "transforms.models.tools",
    "transforms.recipes.settings",
    "transforms.sandbox.settings",
    "transforms.stages.diversity.settings",
)
"""Modules that carry rows and requests about. They decide none: settings and prompts are part of a
fingerprint by their values, and answers are in the ledger by what was asked."""

_SCRIPTS = {"transforms.sandbox.slots": ("transforms.sandbox.zygote",)}
"""Module -> modules that it starts as scripts, by their paths."""


def code_digest(module: str) -> str:
    """Returns the digest of a module and of those that it rests on (`modules`).

    Comments, docstrings and layout are no part of it.
    """
    return content_id("code", sorted(modules(module).items()))


def modules(module: str) -> dict[str, str]:
    """Returns the digests by name of a module and of all that it imports, in turn, from its own
    package or from `transforms`, or starts as a script.

    `module` is the dotted name. Modules without a source file are left out.
    """
    packages = {module.partition(".")[0], "transforms"}
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in digests or (name != module and name.startswith(_MACHINERY)):
            continue
        digests[name], imports = _module(name)
        waiting += [_home(each) for each in imports if each.partition(".")[0] in packages]
        waiting += _SCRIPTS.get(name, ())
    return {name: digest for name, digest in digests.items() if digest}


def _home(name: str) -> str:
    """The module of a name that `transforms` itself offers; any other name as it is."""
    return HOMES.get(name.removeprefix("transforms."), name)


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]]:
    """The digest of one module's code, and the names it imports; empty where there is no source.

    Both are kept for all runs, by the module's text: to parse them all takes half a second.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):  # a class or function, or __main__
        return "", ()
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return "", ()
    source = Path(spec.origin).read_bytes()
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    key = hashlib.blake2b(source, key=_reader(), salt=b"code", digest_size=16)
    key.update(package.encode())
    kept = cache_folder() / "code" / key.hexdigest()
    with contextlib.suppress(OSError, ValueError):
        digest, *imports = kept.read_text().split()
        return digest, tuple(imports)
    digest, imports = _read(source, package)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
        write_text(str(kept), " ".join([digest, *imports]))
    return digest, tuple(imports)


@cache
def _reader() -> bytes:
    """What the same text is the same to: this file, and Python's grammar."""
    return hashlib.blake2b(Path(__file__).read_bytes() + sys.version.encode()).digest()


def _read(source: bytes, package: str) -> tuple[str, list[str]]:
    """The digest of a module's text, and the names it imports."""
    tree = ast.parse(source)
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            imports += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for field in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, field, None), list):
                setattr(node, field, [each for each in block if not _is_text(each)])
    digest = hashlib.blake2b(ast.dump(tree).encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.hexdigest(), imports


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that `from … import` names."""
    if not node.level:
        return node.module or ""
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a text alone: a docstring, or the like below a field."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
