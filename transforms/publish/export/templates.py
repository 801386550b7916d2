"""Whether chats render with the chat template of the model that will learn from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from transforms.engine.errors import SettingsError, one_line
from transforms.publish.export.chats import Message, first_lost
from transforms.training.trainer import load_tokenizer, require_trl


class TemplateCheck:
    """Renders chats with a model's chat template.

    Chats with tool calls are rendered with Qwen3's where the model's own shows no tools
    (`tools_shown` is False): they have the form that templates with tools read.
    """

    def __init__(self, model: str) -> None:
        """Loads the tokenizer: `embedded`, a name on the Hub or a folder.

        Raises:
            BackendError: it cannot be loaded, or transformers and TRL are not installed.
            SettingsError: it has no chat template.
        """
        require_trl()
        from trl.chat_template_utils import qwen3_chat_template, supports_tool_calling

        self.model = model
        self._tokenizer = load_tokenizer(model)
        if not self._tokenizer.chat_template:
            raise SettingsError(
                f"template={model} has no chat template: name the model that will be trained, or "
                "template=null for no check"
            )
        self.tools_shown = supports_tool_calling(self._tokenizer)
        self._with_tools = (
            self._tokenizer.chat_template if self.tools_shown else qwen3_chat_template
        )

    def __call__(self, row_id: str, chat: Sequence[Message], tools: str | None) -> None:
        """Raises SettingsError, one line that names the row, where its chat does not render, or not
        as it is stored."""
        from jinja2.exceptions import TemplateError

        calls = any("tool_calls" in message for message in chat)
        template = self._with_tools if calls else self._tokenizer.chat_template
        shown: Any = json.loads(tools) if tools else None
        try:
            rendered = self._tokenizer.apply_chat_template(
                chat, tools=shown, chat_template=template, tokenize=False
            )
        except (TemplateError, TypeError, KeyError, ValueError) as error:
            raise SettingsError(
                f"row {row_id} does not render with the chat template of template={self.model}: "
                f"{one_line(error)}"
            ) from None
        names = [tool["function"]["name"] for tool in shown or ()]
        if not calls and not self.tools_shown:
            names = []
        if (lost := first_lost(chat, rendered, names)) is not None:
            raise SettingsError(
                f"row {row_id}: the chat template of template={self.model} does not show {lost} as "
                "it is stored: what a model learned would not be what was sampled"
            )
