"""Pages of events, transactions and statements hold exactly what their position and query say;
reads of the past show the version of their moment, the same one for ever."""

import bisect

import model
from record import FOREVER, place, units


def check_lists(account, fold):
    for operation in account.operations:
        if operation.get("status") != 200 or "rows" not in operation:
            continue
        kind = operation["kind"]
        if kind == "events":
            check_events(account, operation)
        elif kind == "transactions":
            check_money(account, fold, operation, operation["rows"][::-1])
        elif kind == "statement":
            check_statement(account, fold, operation)


def check_events(account, operation):
    """Every version after `after` up to the position, in order, none left out."""
    rows = operation["rows"]
    versions = [row["version"] for row in rows]
    after, position = place(operation.get("after")), place(operation["position"])
    low = account.span(after)[0] if after is not None else 0
    high = account.span(after)[1] if after is not None else 0
    if versions:
        if versions != list(range(versions[0], versions[0] + len(versions))):
            account.flag("list", f"a page of events has versions {short(versions)}",
                         operation["id"])
            return
        if not low < versions[0] <= high + 1:
            account.flag("list", f"events after {after} begin with version {versions[0]}, not "
                         f"{low + 1}", operation["id"])
    if len(versions) < operation["limit"]:
        check_end(account, operation, versions[-1] if versions else low,
                  versions[-1] if versions else high, position)


def check_end(account, operation, lowest, highest, position):
    low, high = account.span(position)
    if highest < low or lowest > high:
        account.flag("list", f"a list at position {position} ends with version {lowest}, not {low}",
                     operation["id"])


def check_money(account, fold, operation, rows):
    """Rows oldest first: only events that moved money, none left out between them."""
    versions = [row["version"] for row in rows]
    if versions != sorted(set(versions)):
        account.flag("list", f"money rows have versions {short(versions)}", operation["id"])
        return False
    first = versions[0] if len(rows) >= operation["limit"] else 1
    last = account.span(place(operation["position"]))[0]
    if operation["kind"] == "statement":
        first = versions[0] if versions else last + 1
        last = versions[-1] if operation.get("more") and versions else last
    have = set(versions)
    if versions and versions[-1] > account.span(place(operation["position"]))[1]:
        account.flag("list", f"version {versions[-1]} is beyond the position of its list",
                     operation["id"])
        return False
    for version in range(first, max([last, *versions[-1:]]) + 1):
        what = fold.outcomes.get(version)
        if what is not None and model.changes_money(*what) != (version in have):
            account.flag("list", f"version {version} ({what[0]}, {what[1]}) is "
                         + ("missing" if version not in have else "no money row"), operation["id"])
            return False
    return True


def check_statement(account, fold, operation):
    rows, since = operation["rows"], operation["since"]
    if not check_money(account, fold, operation, rows):
        return
    for version in range(rows[0]["version"] - 1 if rows else account.last, 0, -1):
        recorded, what = account.recorded(version), fold.outcomes.get(version)
        if recorded is not None and recorded < since:
            break
        if recorded is not None and what is not None \
                and model.changes_money(*what) and within(account, version, operation):
            account.flag("list", f"a statement from {since} leaves out version {version} of "
                         f"{recorded}", operation["id"])
            return
    if rows:
        early = account.recorded(rows[0]["version"])
        if early is not None and early < since:
            account.flag("list", f"a statement from {since} has version {rows[0]['version']} of "
                         f"{early}", operation["id"])
        state = fold.states.get(rows[0]["version"] - 1)
        if state is not None and units(operation["opening"]) != state[0]:
            account.flag("statement", f"opens with {operation['opening']} before version "
                         f"{rows[0]['version']}", operation["id"])
    end = units(rows[-1]["balance"]) if rows else units(operation["opening"])
    if not operation.get("more") and units(operation["closing"]) != end:
        account.flag("statement", f"closes with {operation['closing']}, its last line with "
                     f"{rows[-1]['balance'] if rows else operation['opening']}", operation["id"])


def within(account, version, operation):
    position = account.facts[version].get("position")
    return position is not None and place(position[0]) <= place(operation["position"])


def check_past(account):
    """as_of and as_of_position: the version of that moment, and never another answer."""
    answers = {}
    for operation in account.operations:
        name = next((n for n in ("as_of", "as_of_position") if n in operation), None)
        if name is None or operation.get("status") not in (200, 404):
            continue
        asked = operation[name]
        version = operation["version"] if operation["status"] == 200 else 0
        said = (version,) + tuple(operation.get(n) for n in (
            "position", "balance", "available", "held", "credit_limit"))
        known = answers.setdefault((name, asked), (said, operation["id"]))
        if known[0] != said:
            account.flag("as-of-fixed", f"{name} {asked} was {known[0]} and is {said}",
                         known[1], operation["id"])
        if name == "as_of_position":
            low, high = account.span(place(asked))
            wrong = not low <= version <= high
        else:
            here, following = account.recorded(version), account.recorded(version + 1)
            wrong = (here is not None and here > asked) or (
                following is not None and following <= asked)
        if wrong:
            account.flag("as-of", f"{name} {asked} shows version {version}", operation["id"])


class Reading:
    """Pages of the log, one after the other, from where the accounts of a history begin."""

    def __init__(self):
        self.versions = None   # account -> its last version so far; None: not from the beginning
        self.next = None       # the position that the next page must be after

    def add(self, operation):
        """Takes a page; whether everything up to its position is known now. `self.gaps` names what
        it lacks."""
        self.gaps = []
        if "after" not in operation or operation.get("whole"):
            self.versions = {}
        elif self.versions is None or operation["after"] != self.next:
            self.versions = None
            return False
        self.next = operation.get("after", self.next)
        for row in operation["rows"]:
            self.next = row["position"]
            name = row.get("account")
            if name is not None:
                before = self.versions.get(name, 0)
                if row["version"] != before + 1:
                    self.gaps.append(f"after version {before} of {name} comes {row['version']}")
                self.versions[name] = row["version"]
        return len(operation["rows"]) < operation["limit"]


def check_log(operations, owners, violations, make):
    """Pages of the whole log: positions without a gap, and everything that was acknowledged."""
    rows, covered, reading = {}, [], Reading()
    for operation in operations:
        if operation["kind"] != "log" or operation.get("status") != 200:
            continue
        reading.add(operation)
        violations += [make("log-gap", gap, (operation["id"],)) for gap in reading.gaps]
        expected = began = place(operation["after"]) + 1 if "after" in operation else 0
        for row in operation["rows"]:
            position = place(row["position"])
            if position != expected:
                violations.append(make("log-gap", f"after {expected - 1} comes {position}",
                                       (operation["id"],)))
            expected = position + 1
            entry = (row.get("account"), row["version"], row["event"])
            known = rows.setdefault(row["position"], (entry, operation["id"]))
            if known[0] != entry:
                violations.append(make("same-event", f"{row['position']} was {known[0]} and is "
                                       f"{entry}", (known[1], operation["id"])))
        if len(operation["rows"]) < operation["limit"]:
            expected = max(expected, place(operation["position"]) + 1)
        covered.append((began, expected, operation["id"]))
    covered.sort()
    for position, (name, version, source) in owners.items():
        row = rows.get(position)
        at = bisect.bisect_right(covered, (place(position), FOREVER)) - 1
        page = covered[at] if at >= 0 and covered[at][1] > place(position) else None
        if row is None and page is not None:
            violations.append(make("lost", f"{position}, version {version} of {name}, is not in "
                                   "the log", (source, page[2])))
        elif row is not None and row[0][:2] != (name, version):
            violations.append(make("lost", f"{position} was version {version} of {name} and is "
                                   f"{row[0][:2]}", (source, row[1])))


def short(values):
    return values if len(values) <= 12 else [*values[:6], "…", *values[-6:]]
