"""The runners as settings: what each of them is told, and the check of Beam's own options."""

from __future__ import annotations

import argparse
import difflib
import json
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from pydantic import AfterValidator, Field, field_serializer, model_validator

from transforms.engine.machine import on_loopback
from transforms.engine.settings import Group

_SECRETS = ("s3_secret_access_key", "s3_session_token")
"""Options that no manifest and no report may show."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@cache
def _parser() -> _Parser:
    """A parser of all options that Beam's Python SDK knows."""
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    classes = {str(each): each for each in PipelineOptions.__subclasses__()}
    for each in classes.values():
        each._add_argparse_args(parser)  # type: ignore[arg-type]
    return parser


def is_option(name: str) -> bool:
    """Whether Beam's Python SDK knows a pipeline option of this name."""
    return f"--{name}" in _parser()._option_string_actions


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """Returns Beam pipeline options by name, as they are given.

    Raises ValueError, one line, for an option that Beam does not know, and for a value in a form
    that it does not take: Beam would pass over the first, and end the process at the second.
    """
    parser = _parser()
    known = parser._option_string_actions
    for name, value in options.items():
        if not is_option(name):
            near = difflib.get_close_matches(f"--{name}", known, n=1)
            hint = f": did you mean {near[0].lstrip('-')}?" if near else ""
            raise ValueError(f"{name} is not an option of Beam{hint}")
        action = known[f"--{name}"]
        switch, several = action.nargs == 0, not isinstance(action, argparse._StoreAction)
        if switch != isinstance(value, bool):
            wanted = "true or false" if switch else "a value, not true or false"
            raise ValueError(f"{name} takes {wanted}")
        if value is None or (isinstance(value, list) and not several):
            raise ValueError(f"{name} takes one value: leave it out for Beam's default")
        if switch:
            continue
        for each in value if isinstance(value, list) else [value]:
            text = json.dumps(each) if isinstance(each, dict) else str(each)
            try:
                parser.parse_known_args([f"--{name}={text}"])
            except ValueError as error:
                raise ValueError(str(error).replace("argument --", "")) from None
    return options


Options = Annotated[dict[str, Any], AfterValidator(check_options)]


_TYPE: Any = Field(
    description="direct: this machine; flink: a Flink cluster (docs/flink.md); dataflow: Google "
    "Cloud Dataflow (docs/dataflow.md); beam: any other runner of Beam's, by its options"
)
_ONE_JOB = "run all segments of a recipe as one Beam job, not each as a job of its own"


class RunnerSettings(Group):
    """Where the Beam job runs."""

    type: str = _TYPE
    options: Options = Field(
        {}, description="further Beam pipeline options, such as {job_name: first}"
    )
    stage_shards: int = Field(
        4,
        ge=1,
        description="Parquet files per stage folder at least, hence parallelism of the next "
        "stage; more where their rows need it",
    )
    one_job: bool = Field(True, description=_ONE_JOB)

    @field_serializer("options")
    def _without_secrets(self, options: dict[str, Any]) -> dict[str, Any]:
        return {name: "***" if name in _SECRETS else value for name, value in options.items()}

    beam_names: ClassVar[dict[str, str]] = {}
    """Own setting -> the Beam option that it sets."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        own = {"runner": "type"} if self.type != "beam" else {}
        own |= {option: setting for setting, option in self.beam_names.items()}
        for option in own.keys() & self.options.keys():
            raise ValueError(f"options.{option}: set runner.{own[option]} instead")
        return self

    def beam_options(self) -> dict[str, Any]:
        """The pipeline options that Beam is given."""
        own = {option: getattr(self, name) for name, option in self.beam_names.items()}
        return {name: value for name, value in own.items() if value is not None} | self.options

    def model_hints(self) -> dict[str, str]:
        """Beam's resource hints for a step that loads a model."""
        return {}

    @property
    def waits(self) -> bool:
        """Whether this process waits for the end of the job."""
        return True

    @property
    def resends(self) -> bool:
        """Whether a job that was sent, and not waited for, is known to have failed."""
        return False

    @property
    def is_remote(self) -> bool:
        """Whether workers may run on other machines than this one."""
        return False

    def identity(self) -> Any:
        """Nothing: where a job runs decides no row."""
        return {}


class DirectSettings(RunnerSettings):
    """This machine: one worker in this process, or several processes."""

    type: Literal["direct"] = Field("direct", description=_TYPE.description)
    workers: int = Field(1, ge=1, description="worker processes")
    part_rows: int = Field(
        200_000,
        ge=1,
        description="rows that a segment takes in at a time, at most about: a larger one whose "
        "stages look at each record alone is run in parts, and resume=true goes on at the first "
        "part that is missing",
    )
    one_job: bool = Field(False, description=_ONE_JOB)


class FlinkSettings(RunnerSettings):
    """A Flink cluster, through Beam's job server. It has not been run (docs/flink.md)."""

    type: Literal["flink"] = _TYPE
    master: str = Field(description="address of Flink's REST service, host:port")
    version: str | None = Field(
        None, description="Flink version, such as 1.20 (null: Beam's newest that it supports)"
    )
    job_server: str | None = Field(
        None, description="host:port of a Beam job server that runs (null: Beam starts one; Java)"
    )
    parallelism: int = Field(ge=1, description="workers, which is Flink's parallelism")
    environment: Literal["EXTERNAL", "DOCKER", "PROCESS", "LOOPBACK"] = Field(
        description="how workers are started: EXTERNAL: a worker pool beside each task manager; "
        "LOOPBACK: in this process, to try it out"
    )
    environment_config: str | None = Field(
        description="EXTERNAL: host:port of the worker pool; DOCKER: the image; PROCESS: JSON of "
        "the command"
    )

    beam_names: ClassVar[dict[str, str]] = {
        "master": "flink_master",
        "version": "flink_version",
        "job_server": "job_endpoint",
        "parallelism": "parallelism",
        "environment": "environment_type",
        "environment_config": "environment_config",
    }

    def beam_options(self) -> dict[str, Any]:
        # Beam's FlinkRunner starts a job server of its own, whatever job_endpoint is.
        runner = "PortableRunner" if self.job_server else "FlinkRunner"
        return {"runner": runner, **super().beam_options()}

    @model_validator(mode="after")
    def _known_to_beam(self) -> Self:
        check_options(super().beam_options())
        return self

    @property
    def is_remote(self) -> bool:
        return self.environment != "LOOPBACK" and not on_loopback(self.job_server or self.master)


class DataflowSettings(RunnerSettings):
    """Google Cloud Dataflow: the whole recipe as one batch job (docs/dataflow.md)."""

    type: Literal["dataflow"] = _TYPE
    project: str = Field(description="Google Cloud project")
    region: str = Field(description="region of the workers, such as us-central1")
    temp_location: str = Field(
        pattern="^gs://", description="folder for Dataflow's own files, gs://BUCKET/FOLDER"
    )
    image: str = Field(description="container image of the workers, with cotmill in it (docker/)")
    job_name: str | None = Field(None, description="name of the job (null: Beam makes one)")
    machine_type: str | None = Field(
        None, description="machines of the workers, such as n2-standard-8 (null: Dataflow's own)"
    )
    max_workers: int | None = Field(None, ge=1, description="machines at most (null: no limit)")
    service_account: str | None = Field(
        None, description="account that the workers run as (null: the project's default)"
    )
    subnetwork: str | None = Field(
        None, description="network of the workers, regions/REGION/subnetworks/NAME (null: default)"
    )
    accelerator: str | None = Field(
        None,
        description="GPUs of the machines on which a stage loads a model, such as "
        "'type:nvidia-l4;count:1;install-nvidia-driver;machine_type:g2-standard-8'",
    )
    min_ram: str | None = Field(
        None,
        pattern=r"^\d+(\.\d+)?[KMGT]i?B$",
        description="memory of the machines on which a stage loads a model, at least, such as 30GB",
    )
    dry_run: bool = Field(False, description="build and show the job, and do not send it")
    wait: bool = Field(
        True,
        description="wait for the job and write its account; false: end once it is sent, and "
        "write its account by resume=true when it has ended",
    )
    resend: bool = Field(
        False,
        description="with resume=true: the job that was sent has failed or was cancelled: run what "
        "it has not written",
    )

    beam_names: ClassVar[dict[str, str]] = {
        "project": "project",
        "region": "region",
        "temp_location": "temp_location",
        "image": "sdk_container_image",
        "job_name": "job_name",
        "machine_type": "machine_type",
        "max_workers": "max_num_workers",
        "service_account": "service_account_email",
        "subnetwork": "subnetwork",
        "dry_run": "dry_run",
    }

    def beam_options(self) -> dict[str, Any]:
        experiments = list(self.options.get("experiments", []))
        if self.accelerator is not None:
            experiments.append("no_use_multiple_sdk_containers")  # one model a machine, not a core
        chosen = super().beam_options() | {"experiments": experiments}
        if self.dry_run:
            chosen["dry_run"] = "true"  # Beam takes any text for yes, and no switch
        else:
            del chosen["dry_run"]
        # The image has Beam: none is uploaded.
        return {"runner": "DataflowRunner", "sdk_location": "container", **chosen}

    def model_hints(self) -> dict[str, str]:
        hints = {"accelerator": self.accelerator, "min_ram": self.min_ram}
        return {name: value for name, value in hints.items() if value is not None}

    @property
    def waits(self) -> bool:
        return self.wait

    @property
    def resends(self) -> bool:
        return self.resend

    @property
    def is_remote(self) -> bool:
        return True


class BeamSettings(RunnerSettings):
    """Any other runner of Beam's, by its options alone."""

    type: Literal["beam"] = _TYPE
    options: Options = Field(
        description="Beam pipeline options, such as {runner: PortableRunner, job_endpoint: ...}"
    )

    @model_validator(mode="after")
    def _names_a_runner(self) -> Self:
        name, known = self.options.get("runner", ""), StandardOptions.KNOWN_RUNNER_NAMES
        if "." not in name and name.lower() not in {each.lower() for each in known}:
            raise ValueError(f"options.runner={name!r}: one of {', '.join(known)}, or a class")
        return self

    @property
    def is_remote(self) -> bool:
        places = ("job_endpoint", "flink_master", "spark_master_url")
        named = [self.options[place] for place in places if place in self.options]
        here = self.options.get("environment_type") == "LOOPBACK" or all(map(on_loopback, named))
        return not here or "dataflow" in self.options["runner"].lower()


AnyRunner = Annotated[
    DirectSettings | FlinkSettings | DataflowSettings | BeamSettings, Field(discriminator="type")
]
