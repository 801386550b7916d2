"""Seeds of one id: one stays, whatever order they came in."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.blocks import pack
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.sources.read import one_of_each
from transforms.sources.rows import SeedReason


def seeds(pairs: list[tuple[str, str]]) -> list[Seed]:
    """Seeds of a problem and a note; those of one problem have one id."""
    return [
        Seed.make(problem=problem, source="s", license="MIT", metadata=canonical_json(note))
        for problem, note in pairs
    ]


PAIRS = st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abc")), max_size=12)


@given(PAIRS, st.randoms())
def test_of_equal_seeds_the_first_by_content_stays_in_any_order_and_division(pairs, random) -> None:
    records = seeds(pairs)
    shuffled = random.sample(records, len(records))
    cut = random.randint(0, len(records))
    decided = list(one_of_each([pack(shuffled[:cut]), pack(shuffled[cut:])]))
    kept = [seed for seed, verdict in decided if verdict.kept]
    assert Counter(seed for seed, _ in decided) == Counter(records)
    assert {seed.id: seed for seed in kept} == {
        seed.id: seed
        for seed in sorted(records, key=lambda seed: canonical_json(asdict(seed)), reverse=True)
    }
    assert len(kept) == len({seed.id for seed in records})
    assert all(v.kept or v.reason is SeedReason.DUPLICATE_ID for _, v in decided)
