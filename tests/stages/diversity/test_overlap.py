"""A copy of a benchmark's item is found however it is told, and a stranger is not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.diversity.benchmarks import humaneval, index_of, kind, shipped_seeds
from transforms.stages.diversity.overlap import Item, folded, runs, runs_of_each

WORDS = st.lists(st.text("abcdefgh", min_size=2, max_size=6), min_size=30, max_size=80)
STORY = (
    "Ann has 12 hens and each lays 5 eggs in 7 days so she sells 40 of them at 3 coins "
    "a piece and keeps 9 for herself but breaks 2 of the 6 left over by noon"
)
"""A number every few words: no eight words in a row without one."""


@given(st.text())
def test_folding_a_folded_text_changes_nothing(text):
    assert folded(" ".join(folded(text))) == folded(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many eggs?", "  HOW\nMANY, eggs "),
        ("Solve $x^2 = 4$.", r"Solve \( x^2=4 \)"),
        (r"Find $\dfrac{1}{2}$", r"find \[\frac {1}{2}\]"),
        (r"$\left(3, \text{ cm}\right)$", "(3, cm)"),
        (r"sells 12{,}500 or 1,000,000", "sells 12500 or 1000000"),
        ("ﬁve ½", "five 1⁄2"),
    ],
)
def test_case_punctuation_spaces_and_latex_layout_are_folded(one, other):
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("3.5 cm", "35 cm"), ("x + 1", "x + 2")])
def test_what_makes_another_question_is_not_folded(one, other):
    assert folded(one) != folded(other)


@given(st.text().filter(folded), st.text())
def test_an_item_is_found_in_a_copy_of_itself(text, other):
    index = index_of(Item("b", "1", text), Item("b", "2", other))
    assert kind(index, text) == "exact"


@given(WORDS, st.data())
def test_one_word_changed_in_thirty_hides_no_copy(words, data):
    index = index_of(Item("b", "1", " ".join(words)))
    place = data.draw(st.integers(0, len(words) - 1))
    words[place] = "other"
    assert kind(index, " ".join(words)) is not None


def test_a_long_run_inside_other_words_is_found():
    index = index_of(Item("b", "1", STORY))
    inside = "Read this. " + " ".join(STORY.split()[4:18]) + ". What comes next?"
    assert kind(index, inside) == "13-gram"


@pytest.mark.parametrize(("taken", "found"), [(10, "60% of its 8-grams"), (9, None)])
def test_of_a_short_question_half_of_its_runs_are_needed(taken, found):
    question = "how many ways are there to seat six people around one table"
    row = " ".join(question.split()[:taken]) + " tomorrow"
    assert kind(index_of(Item("b", "1", question)), row) == found


def test_a_copy_with_other_numbers_is_found_by_similarity():
    index = index_of(Item("b", "1", STORY))
    other = " ".join(str(int(word) + 1) if word.isdigit() else word for word in STORY.split())
    assert not set(runs(folded(other), 8)) & set(runs(folded(STORY), 8))
    assert kind(index, other) == "similarity 1.00, numbers aside"


@pytest.mark.parametrize(("changed", "found"), [(3, True), (4, False)])
def test_a_copy_with_other_numbers_and_too_many_other_words_is_a_new_question(changed, found):
    index = index_of(Item("b", "1", STORY))
    words = [str(int(word) + 1) if word.isdigit() else word for word in STORY.split()]
    for place in range(changed):
        words[6 * place + 1] = f"other{chr(97 + place)}"
    assert (kind(index, " ".join(words)) is not None) == found


def test_a_short_question_with_other_numbers_is_another_question():
    index = index_of(Item("b", "1", "What is the greatest common divisor of 84 and 36?"))
    assert kind(index, "What is the greatest common divisor of 90 and 12?") is None


@pytest.mark.parametrize(("users", "found"), [(3, "13-gram"), (4, None)])
def test_a_phrase_of_many_items_is_no_sign_of_any(users, found):
    phrase = "the answer is m over n where m and n are coprime find m plus n"
    items = [
        Item("b", str(n), " ".join(f"w{n}x{k}" for k in range(20)) + " " + phrase)
        for n in range(users)
    ]
    same = Item("c", "copy", items[0].problem)  # an item in two benchmarks uses a phrase once
    assert kind(index_of(*items, same), f"A new question, {phrase}.") == found


@given(st.randoms())
def test_the_item_named_depends_on_the_items_alone(rng):
    items = [Item("b", str(n), STORY) for n in range(3)] + [Item("a", "1", "Who? " + STORY)]
    rng.shuffle(items)
    index = index_of(*items)
    [overlap] = index.overlaps([(STORY, "")])
    assert index.detail(overlap) == (
        'b 0 (exact): "Ann has 12 hens and each lays 5 eggs in 7 days so she sells …"'
    )


def test_a_row_gets_one_verdict_whatever_rows_stand_beside_it():
    index = index_of(Item("b", "1", STORY), Item("b", "2", "Name a prime."))
    texts = [(STORY[:-5], ""), ("name a PRIME", ""), ("", ""), ("Nothing like it.", "")]
    together = index.overlaps(texts)
    assert together == [index.overlaps([text])[0] for text in texts]
    assert [overlap is None for overlap in together] == [False, False, True, True]


def test_strangers_are_not_taken_for_each_other():
    seeds = shipped_seeds()
    rows = [(seed["problem"], seed["code"]) for seed in seeds]
    exam = [
        Item("humaneval", row["task_id"], row["prompt"], row["canonical_solution"])
        for row in humaneval()
    ]
    assert index_of(*exam).overlaps(rows) == [None] * len(rows)
    # any two seeds are on different sides of one of these cuts
    for bit in range(len(seeds).bit_length()):
        for side in (0, 1):
            items = [
                Item("seeds", str(n), *row) for n, row in enumerate(rows) if n >> bit & 1 == side
            ]
            others = [row for n, row in enumerate(rows) if n >> bit & 1 != side]
            assert index_of(*items).overlaps(others) == [None] * len(others)


def test_a_question_that_quotes_a_docstring_of_humaneval_is_found():
    index = index_of(*(Item("humaneval", row["task_id"], row["prompt"]) for row in humaneval()))
    quotes = [row["prompt"].replace("'''", '"""').split('"""')[1] for row in humaneval()]
    prose = [quote.split(">>>")[0] for quote in quotes]
    long = [text for text in prose if len(folded(text)) >= 13]
    found = index.overlaps([(f"Write a program. {text}", "") for text in long])
    assert len(long) > 100 and None not in found


def test_code_of_an_item_inside_a_programs_own_form_is_found():
    row = max(humaneval(), key=lambda row: len(row["canonical_solution"]))
    index = index_of(Item("humaneval", row["task_id"], "", row["canonical_solution"]))
    code = f"input = {{}}\n\ndef solution():\n{row['canonical_solution']}\noutput = solution()\n"
    assert kind(index, "An unrelated question.", code) == "100% of its code's 8-grams"
    assert kind(index, "An unrelated question.", "input = {}") is None


def test_an_idiom_that_a_short_solution_consists_of_is_no_sign_of_it():
    row = humaneval()[13]
    index = index_of(Item("humaneval", row["task_id"], "", row["canonical_solution"]))
    code = f"def gcd(a, b):\n{row['canonical_solution']}\noutput = gcd(12, 18)\n"
    assert kind(index, "", code) is None


def test_text_without_words_is_never_a_copy():
    index = index_of(Item("b", "1", "?!"), Item("b", "2", "", "x"))
    assert index.overlaps([("...", ""), ("", "")]) == [None, None]


def test_many_rows_at_once_and_a_benchmark_without_items_are_fine():
    rng = random.Random(0)
    rows = [(" ".join(rng.choices(["a", "b", "c"], k=40)), "") for _ in range(700)]
    assert index_of().overlaps(rows) == [None] * 700


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6)), st.integers(1, 4))
def test_the_runs_of_several_texts_are_those_of_each(texts, length):
    together = runs_of_each(texts, length)
    assert [each.tolist() for each in together] == [runs(t, length).tolist() for t in texts]
