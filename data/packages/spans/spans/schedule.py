"""Spans as bookings of a room."""

from spans.algebra import clip, merge, subtract


def overlaps(spans):
    """Return the pairs of places of bookings that cannot both be held, in order."""
    pairs = []
    for i in range(len(spans)):
        for j in range(i + 1, len(spans)):
            one, other = spans[i], spans[j]
            if one[0] < other[1] and other[0] < one[1]:
                pairs.append((i, j))
    return pairs


def busiest(spans):
    """Return (how many bookings are held at once at most, when that is first so)."""
    events = []
    for start, end in spans:
        if start < end:
            events.append((start, 1))
            events.append((end, -1))
    most, when, now = 0, None, 0
    for time, change in sorted(events):
        now += change
        if now > most:
            most, when = now, time
    return most, when


def free(spans, opens, closes, length=1):
    """Return the times between `opens` and `closes` that are free for at least `length`."""
    slots = []
    for start, end in subtract([(opens, closes)], clip(spans, opens, closes)):
        if end - start >= length:
            slots.append((start, end))
    return slots


def pack(spans):
    """Give each booking the first room that is free; return the rooms in the order of `spans`."""
    order = sorted(range(len(spans)), key=lambda place: (spans[place], place))
    ends = []
    rooms = [None] * len(spans)
    for place in order:
        start, end = spans[place]
        for room, last in enumerate(ends):
            if last <= start:
                ends[room] = end
                rooms[place] = room
                break
        else:
            rooms[place] = len(ends)
            ends.append(end)
    return rooms


class Room:
    """A room that takes bookings as long as they do not overlap."""

    def __init__(self, opens, closes):
        self.opens = opens
        self.closes = closes
        self.bookings = []
        self.refused = 0

    def book(self, start, end):
        """Take a booking; return whether it was taken."""
        fits = self.opens <= start < end <= self.closes
        if not fits or any(start < e and s < end for s, e in self.bookings):
            self.refused += 1
            return False
        self.bookings.append((start, end))
        self.bookings.sort()
        return True

    def cancel(self, start, end):
        """Drop a booking; raise KeyError where there is none such."""
        if (start, end) not in self.bookings:
            raise KeyError((start, end))
        self.bookings.remove((start, end))

    def usage(self):
        """Return the share of the opening hours that is booked."""
        booked = sum(end - start for start, end in merge(self.bookings))
        return booked / (self.closes - self.opens)
