"""The dialogue forms that recipes name, each as a system that was published writes it."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from transforms.stages.trajectories.dialogues import Body, Dialogue

_BUDGET = "```system\n{left} more executions of code are allowed.\n```\n"
_SPENT = "```system\nNo more code can be executed: finish without it.\n```\n"

DIALOGUES: dict[str, Dialogue] = {
    each.name: each
    for each in [
        # ToRA, MuMath-Code, AIMO-2's first stage
        Dialogue(
            "fence",
            Body.CODE,
            fenced=True,
            stop=("```output",),
            result=("```output\n", "\n```\n"),
            note=_BUDGET,
            spent=_SPENT,
        ),
        # AIMO-2's later stages
        Dialogue(
            "tool_call",
            Body.CODE,
            open="<tool_call>\n",
            close="\n</tool_call>",
            stop=("</tool_call>",),
            result=("\n```output\n", "\n```\n"),
            note=_BUDGET,
            spent=_SPENT,
        ),
        # MathCoder
        Dialogue(
            "blocks",
            Body.CODE,
            open="<|code|>",
            close="<|endofblock|>",
            frames=(("<|text|>", "<|endofblock|>"),),
            goes_on=True,
            stop=("<|endofblock|>", "<|endofmessage|>"),
            result=("<|execution|>", "<|endofblock|>"),
            empty="<empty_execution>",
        ),
        # ReTool
        Dialogue(
            "interpreter",
            Body.CODE,
            open="<code>\n",
            close="\n</code>",
            fenced=True,
            stop=("</code>",),
            result=("\n<interpreter>\n", "\n</interpreter>\n"),
            value="if_silent",
            error="last_line",
        ),
        # Agentic-R1
        Dialogue(
            "executor",
            Body.CODE,
            open="<code>\n",
            close="\n</code>",
            stop=("</code>",),
            result=("\n<executor>\n", "\n</executor>\n"),
            marks_thoughts=True,
        ),
        # Datarus
        Dialogue(
            "step",
            Body.CODE,
            open="<action_input>\n",
            close="\n</action_input>",
            frames=(("<step>", "</step>"), ("<stop_analysis>", "</stop_analysis>")),
            stop=("</step>", "</stop_analysis>"),
            role="user",
            limit=10_000,
            marker="\n[cut]",
            empty="(no output)",
            marks_thoughts=True,
        ),
        # Tree-of-Code
        Dialogue(
            "execute",
            Body.CODE,
            open="<execute>\n",
            close="\n</execute>",
            stop=("</execute>",),
            role="user",
            empty="(no output)",
            marks_thoughts=True,
        ),
        # rStar2, TableGPT-R1, Qwen's templates
        Dialogue(
            "hermes",
            Body.JSON,
            open="<tool_call>\n",
            close="\n</tool_call>",
            role="user",
            result=("<tool_response>\n", "\n</tool_response>"),
            calls="all",
        ),
        # chat APIs
        Dialogue("native", Body.NATIVE, role="tool", calls="all", limit=None),
        # MedAgentGym
        Dialogue("actions", Body.JSON, keys=("action", "params"), role="user", calls="first"),
        # StateAct
        Dialogue("keys", Body.LINE, role="user", value="never"),
        # Agentic Reasoning; HiRA with other marks
        Dialogue(
            "queries",
            Body.QUERY,
            open="<|begin_{name}_query|>",
            close="<|end_{name}_query|>",
            stop=("<|end_{name}_query|>",),
            result=("\n<|begin_{name}_result|>\n", "\n<|end_{name}_result|>\n"),
            limit=3000,
        ),
    ]
}


def dialogue_of(value: Any) -> Any:
    """Returns the dialogue of a setting: a form's name, or that with fields of its own.

    >>> dialogue_of({"form": "fence", "limit": 500}).limit
    500

    Raises:
        ValueError: there is no such form or field, or a field's value is out of bounds.
    """
    if isinstance(value, Dialogue):
        return value
    changes = {"form": value} if isinstance(value, str) else dict(value)
    form = changes.pop("form", None)
    if form not in DIALOGUES:
        raise ValueError(f"there is no dialogue {form!r}: the forms are {', '.join(DIALOGUES)}")
    known = [field.name for field in fields(Dialogue)]
    for name in changes:
        if name not in known:
            raise ValueError(f"a dialogue has no field {name!r}: it has {', '.join(known)}")
    values = {name: getattr(DIALOGUES[form], name) for name in known}
    try:
        return TypeAdapter(Dialogue).validate_python(values | changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


DialogueSetting = Annotated[Dialogue, BeforeValidator(dialogue_of)]
"""The type of a stage's field that is a dialogue: a recipe names its form (`dialogue_of`)."""
