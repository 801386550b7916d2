"""What is done with rows; no function changes the rows that it is given."""


def columns(rows):
    """Return the names of all columns, in the order in which they first occur."""
    names = []
    for row in rows:
        for name in row:
            if name not in names:
                names.append(name)
    return names


def select(rows, where=None, keep=None, limit=None):
    """Return the rows whose values equal those of `where`, with the columns in `keep`."""
    found = []
    for row in rows:
        if limit is not None and len(found) >= limit:
            break
        if where and any(row.get(name) != value for name, value in where.items()):
            continue
        if keep is None:
            found.append(dict(row))
        else:
            found.append({name: row[name] for name in keep if name in row})
    return found


def rename(rows, names):
    """Return rows whose columns have other names; raise ValueError where two become one."""
    renamed = []
    for row in rows:
        new = {names.get(name, name): value for name, value in row.items()}
        if len(new) != len(row):
            raise ValueError("two columns would have one name")
        renamed.append(new)
    return renamed


def group(rows, by, column, how="sum"):
    """Return {value of `by`: the sum, count, mean, least or most of `column`}."""
    values = {}
    for row in rows:
        if row.get(column) is not None:
            values.setdefault(row[by], []).append(row[column])
    result = {}
    for key, items in values.items():
        if how == "sum":
            result[key] = sum(items)
        elif how == "count":
            result[key] = len(items)
        elif how == "mean":
            result[key] = sum(items) / len(items)
        elif how == "least":
            result[key] = min(items)
        elif how == "most":
            result[key] = max(items)
        else:
            raise ValueError(f"unknown: {how}")
    return result


def join(left, right, on, outer=False):
    """Return each row of `left` with each row of `right` that has the same value of `on`."""
    by_key = {}
    for row in right:
        by_key.setdefault(row[on], []).append(row)
    joined = []
    for row in left:
        matches = by_key.get(row[on], [])
        for match in matches:
            joined.append({**match, **row})
        if outer and not matches:
            joined.append(dict(row))
    return joined


def pivot(rows, index, column, value, missing=None):
    """Return a row for each value of `index`, with a column for each value of `column`."""
    names = []
    table = {}
    for row in rows:
        if row[column] not in names:
            names.append(row[column])
        table.setdefault(row[index], {})[row[column]] = row[value]
    result = []
    for key, cells in table.items():
        new = {index: key}
        for name in names:
            new[name] = cells.get(name, missing)
        result.append(new)
    return result


def rank(rows, column, descending=True):
    """Return the rows' ranks by a column, from 1; equal values share the better rank."""
    values = sorted((row[column] for row in rows), reverse=descending)
    ranks = []
    for row in rows:
        ranks.append(values.index(row[column]) + 1)
    return ranks


def running(rows, column, start=0):
    """Return rows with a column `total` that sums a column up to each row."""
    total = start
    result = []
    for row in rows:
        total += row.get(column) or 0
        result.append({**row, "total": total})
    return result


class Ledger:
    """Entries by account, which are closed once and then take no more."""

    def __init__(self, accounts):
        self.entries = {account: [] for account in accounts}
        self.closed = set()

    def post(self, account, amount, day):
        """Add an entry; raise ValueError where the account is closed or the day goes back."""
        if account in self.closed:
            raise ValueError(f"{account} is closed")
        entries = self.entries[account]
        if entries and day < entries[-1][0]:
            raise ValueError("an entry before the last one")
        entries.append((day, amount))

    def balance(self, account, day=None):
        """Return the sum of the entries up to a day, that day included."""
        total = 0
        for when, amount in self.entries[account]:
            if day is None or when <= day:
                total += amount
        return total

    def close(self, account):
        """Close an account whose balance is 0; return whether it is closed now."""
        if self.balance(account) == 0:
            self.closed.add(account)
        return account in self.closed

    def move(self, source, target, amount, day):
        """Post an amount from one account to another, unless the source has less."""
        if amount <= 0 or self.balance(source, day) < amount:
            return False
        self.post(source, -amount, day)
        self.post(target, amount, day)
        return True
