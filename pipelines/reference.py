"""The page docs/settings.md, made from the settings' classes: `python -m pipelines.reference`."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines import hydra_app
from pipelines.augment import AugmentSettings
from pipelines.stage_help import unread
from transforms.engine.paths import PROJECT
from transforms.engine.settings import Group
from transforms.recipes.settings import Settings
from transforms.training.trainer import TrainSettings

PAGE = PROJECT / "docs" / "settings.md"
_COMMANDS: dict[str, tuple[type[Group], list[str]]] = {
    "synthesize": (Settings, ["source=jsonl", "backend=openai"]),
    "augment": (AugmentSettings, []),
    "train": (TrainSettings, []),
}
"""Command -> its class of settings, and the choices that the page shows."""


def settings_page() -> str:
    """Returns the page: every setting of the commands that make data, its default and meaning."""
    lines = [
        "# Settings",
        "",
        "Made from the settings' classes by `python -m pipelines.reference`. Another choice of a "
        "group, such as `backend=vllm`, has settings of its own: `cotmill COMMAND GROUP=CHOICE "
        "--help` shows them.",
    ]
    for command, (root, choices) in _COMMANDS.items():
        lines += ["", f"## cotmill {command}", "", *_table(command, root, choices)]
    return "\n".join(lines) + "\n"


def _table(command: str, root: type[Group], choices: list[str]) -> Iterator[str]:
    if choices:
        yield f"With `{' '.join(choices)}`:"
        yield ""
    yield "| setting | default | meaning |"
    yield "| --- | --- | --- |"
    values = hydra_app.composed(command, choices)
    left_out = unread(values["recipe"]) if "recipe" in values else set()
    for key, field, value in hydra_app.options(root, values):
        if key.startswith("recipe.stages") or key.partition(".")[0] in left_out:
            continue
        text = repr(value) if isinstance(value, (list, dict)) else hydra_app.shown(value)
        meaning = f"{field.description or ''} {hydra_app.type_of(field)}".strip()
        cells = (f"`{key}`", f"`{text}`" if text else "", meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(settings_page())
