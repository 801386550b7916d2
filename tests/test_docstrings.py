"""What stands below a field is its meaning, for --help."""

from dataclasses import dataclass

from transforms.docstrings import field_meanings


@dataclass
class Base:
    width: int
    """How wide it is,
    in metres."""
    bare: int


@dataclass
class Derived(Base):
    width: int
    """In feet."""
    height: int = 0
    """How high."""

    def method(self) -> None:
        """Not a field's."""


def test_each_field_has_the_text_below_it_and_inherits_the_others() -> None:
    assert field_meanings(Base) == {"width": "How wide it is, in metres."}
    assert field_meanings(Derived) == {"width": "In feet.", "height": "How high."}


def test_a_class_without_source_has_no_meanings() -> None:
    assert field_meanings(int) == {}
