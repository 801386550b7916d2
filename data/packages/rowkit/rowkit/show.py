"""Tables as text: cells between bars, numbers to the right."""

from rowkit.core import columns


def to_number(text):
    """Return the number that a text writes (1,234 or 12.5 or 30%), or the text itself."""
    plain = text.strip().replace(",", "")
    share = plain.endswith("%")
    if share:
        plain = plain[:-1]
    try:
        number = float(plain) if "." in plain else int(plain)
    except ValueError:
        return text.strip()
    return number / 100 if share else number


def parse(text, separator="|", numbers=True):
    """Return the rows of a text whose first line names the columns; short lines lack values."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    names = [name.strip() for name in lines[0].split(separator)]
    rows = []
    for line in lines[1:]:
        cells = line.split(separator)
        if len(cells) > len(names):
            raise ValueError(f"{len(cells)} cells under {len(names)} names")
        row = {}
        for name, cell in zip(names, cells, strict=False):
            row[name] = to_number(cell) if numbers else cell.strip()
        rows.append(row)
    return rows


def width(rows, name):
    """Return the number of characters that a column takes."""
    widest = len(name)
    for row in rows:
        widest = max(widest, len(str(row.get(name, ""))))
    return widest


def align(rows, separator=" | "):
    """Return rows as text in which all cells of a column are equally wide."""
    names = columns(rows)
    widths = [width(rows, name) for name in names]
    lines = [
        separator.join(name.ljust(size) for name, size in zip(names, widths, strict=True)).rstrip()
    ]
    for row in rows:
        cells = []
        for name, size in zip(names, widths, strict=True):
            value = row.get(name, "")
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                cells.append(str(value).rjust(size))
            else:
                cells.append(str(value).ljust(size))
        lines.append(separator.join(cells).rstrip())
    return "\n".join(lines)


def shorten(text, most, mark="..."):
    """Return a text of at most `most` characters, cut between words where it is too long."""
    if len(text) <= most:
        return text
    room = most - len(mark)
    if room <= 0:
        return text[:most]
    cut = text[: room + 1].rfind(" ")
    if cut <= 0:
        cut = room
    return text[:cut].rstrip() + mark
