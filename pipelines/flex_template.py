"""What a Dataflow Flex Template starts: `cotmill synthesize`, with the template's parameters."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence

from pipelines import cli
from transforms.engine.runner_settings import DataflowSettings, is_option


def words(arguments: Sequence[str]) -> list[str]:
    """Returns the words of the command for the flags that Dataflow's launcher gives.

    Args:
        arguments: `--settings=`, settings as on a command line, and the launcher's own flags, which
            are Beam's pipeline options; those that Beam does not know are left out.

    >>> flags = ["--project=p", "--runner=DataflowRunner", "--template_location=gs://b/t"]
    >>> words([*flags, "--settings=output_dir=gs://b/run"])[3:]
    ['runner.project=p', 'runner.options={"template_location": "gs://b/t"}', 'output_dir=gs://b/run']
    """
    own = {option: setting for setting, option in DataflowSettings.beam_names.items()}
    settings: list[str] = []
    options: dict[str, str | bool | list[str]] = {}
    told = ""
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if name == "settings":
            told = value
        elif name in own:
            settings.append(f"runner.{own[name]}={value}")
        elif name != "runner" and is_option(name):
            before = options.get(name)
            options[name] = [*before, value] if isinstance(before, list) else value
            if isinstance(before, str):
                options[name] = [before, value]
            if not equals:
                options[name] = True
    if options:
        settings.append(f"runner.options={json.dumps(options)}")
    # The launcher sends the job once this process has ended.
    started = ["synthesize", "runner=dataflow", "runner.wait=false"]
    return [*started, *settings, *shlex.split(told)]


def main() -> None:
    sys.argv[1:] = words(sys.argv[1:])
    cli.main()
