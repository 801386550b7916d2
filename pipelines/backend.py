"""cotmill backend check: asks an endpoint what it takes, and prints the settings to use."""

from __future__ import annotations

import shlex
import sys

from pydantic import Field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.arguments import HELP, name_first_word, take_word
from pipelines.hydra_app import run_command
from transforms.engine.settings import Group
from transforms.models.backends.endpoint_check import check_endpoint
from transforms.models.backends.settings import Named, OpenAIBackend


class BackendCheckSettings(Group):
    """Everything `cotmill backend check` can be told."""

    backend: OpenAIBackend
    models: Named[OpenAIBackend] = Field(
        {}, description="name -> another endpoint to check, as for `cotmill synthesize`"
    )


def check(settings: BackendCheckSettings, console: Console) -> None:
    """Prints for each endpoint one row a feature, then the overrides that follow."""
    for backend in (settings.backend, *settings.models.values()):
        if settings.models:
            console.print(f"{backend.place}:", highlight=False)
        check_one(backend, console)


def check_one(backend: OpenAIBackend, console: Console) -> None:
    """Prints what one endpoint takes."""
    place = backend.place
    findings = list(check_endpoint(backend))
    table = Table(box=None)
    for name in ("feature", "works", "what the endpoint does"):
        table.add_column(name)
    for finding in findings:
        table.add_row(finding.feature, "yes" if finding.works else "no", escape(finding.shown))
    console.print(table, "")
    asked = ["backend=openai" if place == "backend" else f"{place}.engine=openai"]
    asked += [f"{place}.{name}={getattr(backend, name)}" for name in ("base_url", "model", "api")]
    asked += [setting for finding in findings for setting in finding.settings]
    console.print("Use:", shlex.join(asked), soft_wrap=True, highlight=False, markup=False)


def main() -> None:
    command = take_word()
    if command != "check":
        print("Usage: cotmill backend check URL backend.model=NAME", file=sys.stderr)
        sys.exit(0 if not command and set(HELP) & set(sys.argv) else 2)
    name_first_word("backend.base_url")
    run_command(
        "backend check",
        "what an endpoint takes, one question per feature, and the settings to use",
        BackendCheckSettings,
        lambda settings: check(settings, Console()),
    )
