"""Spans as people write pages to print: 1-3,7,10-12 (both ends are meant)."""


def parse_spans(text, last=None):
    """Return the spans of a text; `5-` goes on to `last`, and `-5` begins at 1."""
    spans = []
    for part in text.split(","):
        part = part.strip()
        if not part:
            continue
        low, dash, high = part.partition("-")
        if not dash:
            high = low
        if not low and not high:
            raise ValueError(f"no number in {part!r}")
        if not high and last is None:
            raise ValueError(f"{part!r} has no end")
        start = int(low) if low else 1
        end = int(high) if high else last
        if end < start:
            raise ValueError(f"{part!r} ends before it starts")
        spans.append((start, end + 1))
    return spans


def format_spans(spans, separator=","):
    """Return spans as text, in order."""
    parts = []
    for start, end in sorted(spans):
        if end - start == 1:
            parts.append(str(start))
        elif end - start > 1:
            parts.append(f"{start}-{end - 1}")
    return separator.join(parts)


def ordinals(numbers):
    """Return numbers as text: 1st, 2nd, 3rd, 4th, 11th."""
    words = []
    for number in numbers:
        suffix = "th"
        if number % 100 not in (11, 12, 13):
            suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        words.append(f"{number}{suffix}")
    return words
