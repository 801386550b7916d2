"""The limits on programs, as settings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from transforms.engine.settings import Group


class SandboxSettings(Group):
    """Limits on each program, enforced by the kernel."""

    mode: Literal["auto", "strict", "none"] = Field(
        description="strict: refuse to start without isolation; auto: use what the kernel offers, "
        "and refuse where that does not keep files from programs; none: run in any case"
    )
    wall_seconds: float = Field(gt=0, description="wall time of one program, seconds")
    cpu_seconds: int = Field(ge=1, description="CPU time of one program, seconds")
    memory_mb: int = Field(ge=64, description="address space of one program, MiB")
    output_kb: int = Field(ge=1, description="stdout, and the output value, KiB each")
    file_mb: int = Field(ge=0, description="largest file a program may write, MiB")
    open_files: int = Field(ge=8, description="open files of one program")
    processes: int = Field(ge=1, description="processes and threads of one program")
    slots: int | None = Field(
        None, ge=1, description="programs at once per worker (null: cores / workers)"
    )
    snapshots: int = Field(
        2048,
        ge=1,
        description="states of sessions that a worker keeps at once; the oldest are dropped, and "
        "rebuilt by running their cells again",
    )
    snapshots_mb: int | None = Field(
        None,
        ge=64,
        description="memory of a worker's kept states together, MiB (null: a quarter of the "
        "machine's / workers)",
    )
    determinism: Literal["off", "sampled", "always"] = Field(
        description="run programs a second time under another hash seed, RNG seed and clock: "
        "none, one in ten, or each of those whose text does not show that they ignore all three"
    )

    def identity(self) -> Any:
        return self.model_dump(mode="json", exclude={"mode", "slots", "snapshots", "snapshots_mb"})
