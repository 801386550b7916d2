"""Exporting a run: its tasks, divided into splits, as examples of one format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.engine.run_folder import RunFolder
from transforms.images.rows import COLUMN
from transforms.publish.export.chats import conversation
from transforms.publish.export.forms import Format, Omitted
from transforms.publish.export.splits import Side, SplitSettings, elements, families, sides
from transforms.publish.export.tasks import accepted_rows, task_id, tasks
from transforms.publish.export.templates import TemplateCheck
from transforms.publish.export.write import Spool


@dataclass
class Exported:
    """What an export made of a run."""

    rows: dict[str, int] = field(default_factory=dict)
    """Split -> examples."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Why -> rows, or parts of rows, that make no example."""
    notes: list[str] = field(default_factory=list)
    """What a user should know, a line each."""


def spool(
    run: RunFolder,
    manifest: Mapping[str, Any],
    form: Format,
    splits: SplitSettings,
    check: TemplateCheck | None,
    into: Spool,
) -> Exported:
    """Puts the examples of a run into a spool.

    Raises:
        RunFolderError: the run is not finished, or has no rows.
        SettingsError: a row does not render with the model's chat template.
    """
    done = Exported()
    side_of = divided(run, manifest, splits, done) if splits.asked else {}
    calls = tools = pictures = False
    left = Counter({"no question": sum(1 for _ in accepted_rows(run, manifest))})
    for task in tasks(run, manifest, form.attempts, form.failures):
        left["no question"] -= len(task.rows)
        side = side_of.get(task.id, "train")
        for made in form.examples(task, side, into.rows.get(side, 0)):
            if isinstance(made, Omitted):
                left[made.reason] += 1
                continue
            for chat in made.chats:
                calls = calls or any("tool_calls" in message for message in chat)
                if check is not None:
                    check(task.row["id"], chat, made.tools)
            tools = tools or made.tools is not None
            pictures = pictures or COLUMN in made.values
            into.add(side, made.values)
    done.rows, done.left_out = into.rows, +left
    if calls and not tools:
        done.notes.append("rows call tools but have no column tools: a template cannot show them")
    if pictures and check is not None:
        done.notes.append(
            f"rows with pictures were not rendered with template={check.model}: that takes the "
            "model's processor"
        )
    if calls and check is not None and not check.tools_shown:
        done.notes.append(
            f"the chat template of template={check.model} does not show tool calls: rows were "
            "rendered with Qwen3's; train a model whose template has tools"
        )
    return done


def divided(
    run: RunFolder, manifest: Mapping[str, Any], splits: SplitSettings, done: Exported
) -> dict[str, Side]:
    """Returns the side of each task; notes where a split gets less than half of what is asked."""
    rows = 0

    def of_rows() -> Any:
        nonlocal rows
        for row in accepted_rows(run, manifest):
            said = conversation(row)
            if said is not None:
                rows += 1
                task = task_id(said.prompt)
                yield task, elements(row, task, splits.by)

    named, sizes = families(of_rows())
    chosen = sides(sizes, splits)
    for side in ("validation", "test"):
        size = getattr(splits, side)
        asked = size * rows if size < 1 else size
        got = sum(sizes[family] for family in sizes if chosen[family] == side)
        if got < asked / 2:
            largest = max(sizes.values(), default=0)
            done.notes.append(
                f"splits.{side}={size:g} asks for {round(asked)} rows and gets {got}: the largest "
                f"family, of rows that share {' or '.join(splits.by)}, has {largest} of {rows}; "
                f"{'splits.by=[structure] divides into more' if 'seeds' in splits.by else ''}"
            )
    return {task: chosen[family] for task, family in named.items()}
