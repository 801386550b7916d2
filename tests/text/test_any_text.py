"""Whatever a model writes is judged, and never ends a run: odd pieces of text, put together."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs_for_tests import execution
from transforms.engine.records import Problem, grow
from transforms.recipes.caco.answerability import judge_instruction
from transforms.text.answers import compare_plain, extract_answer
from transforms.text.reasoning import judge_reasoning

PIECES = [
    "3", "4.5", "½", "两", "一百", "万", "٣", "१२", "Ⅻ", "②", "㊿", "二十五", "$", "€", "%", "km",
    "hours", "°", "\\frac{1}{2}", "^", "²", "=", "×", "÷", "−", "(", ")", "[", "]", "{", "}",
    "\\boxed{", "The answer is", "how many", "?", "。", "、", "か月", "quarter past", "dozen",
    "1/0", "0/0", "1e400", "9" * 400, "nan", "inf", "<think>", "</think>", "```", "\n", "pm",
    "half past", "5 ft 7 in", "room 12", "to two decimal places", "in lowest terms", "分之", "点",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=10).map(" ".join)
OUTPUTS = st.sampled_from(["560", "1.5", '"12:30"', "[1, 2]", "true", '{"a": 1}', '""', "1e300"])


@settings(max_examples=150)
@given(TEXTS, TEXTS, OUTPUTS)
def test_any_text_is_judged_as_an_instruction_a_solution_and_an_answer(text, other, output):
    judge_instruction(grow(Problem, execution(output=output), instruction=text))
    judge_reasoning(text, other)
    answer = extract_answer(text)
    assert answer is None or compare_plain(output, answer) in (True, False, None)
