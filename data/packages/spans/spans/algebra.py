"""Sets of spans: sorted, apart from each other, none of them empty."""

from itertools import pairwise


def check(span):
    """Return the span, or raise ValueError where it ends before it starts."""
    start, end = span
    if end < start:
        raise ValueError(f"span ends before it starts: {start}..{end}")
    return start, end


def merge(spans, distance=0):
    """Join spans that overlap, touch, or are at most `distance` apart."""
    merged = []
    for start, end in sorted(check(span) for span in spans):
        if start == end:
            continue
        if merged and start <= merged[-1][1] + distance:
            last_start, last_end = merged[-1]
            merged[-1] = (last_start, max(last_end, end))
        else:
            merged.append((start, end))
    return merged


def intersect(left, right):
    """Return what two sets have in common."""
    left, right = merge(left), merge(right)
    common = []
    i = j = 0
    while i < len(left) and j < len(right):
        start = max(left[i][0], right[j][0])
        end = min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def subtract(left, right):
    """Return what is in the first set and not in the second."""
    rest = []
    holes = merge(right)
    for start, end in merge(left):
        for hole_start, hole_end in holes:
            if hole_end <= start or hole_start >= end:
                continue
            if hole_start > start:
                rest.append((start, hole_start))
            start = hole_end
        if start < end:
            rest.append((start, end))
    return rest


def gaps(spans, smallest=1):
    """Return the holes between neighbours that are at least `smallest` long."""
    joined = merge(spans)
    found = []
    for (_, before), (after, _) in pairwise(joined):
        if after - before >= smallest:
            found.append((before, after))
    return found


def clip(spans, low, high):
    """Return the parts of spans between `low` and `high`."""
    if high < low:
        raise ValueError("high is below low")
    clipped = []
    for start, end in merge(spans):
        start = max(start, low)
        end = min(end, high)
        if start < end:
            clipped.append((start, end))
    return clipped


def total(spans):
    """Return how many numbers a set holds."""
    length = 0
    for start, end in merge(spans):
        length += end - start
    return length
