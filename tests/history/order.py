"""Real time against the order of versions and positions.

Everything that names a version has an interval in which it was true: a write made its version
between the first request and the first answer under its key, a read saw its version between its
beginning and its end. Where one interval lies wholly before another, its version may not be higher.
That is linearizability, in one sweep, because the order is known: stale reads, reads that go back,
writes in the wrong order, reads of what nobody had asked for yet, effects after a server's death.
"""

import collections

from facts import is_past
from record import WRITES, place

# A write made exactly `number`; a read saw at least `number` and at most `highest`.
Span = collections.namedtuple("Span", "began ended number highest operation writes")


def reversals(spans):
    """(earlier, later) for each span that contradicts one that had ended before it began."""
    by_end = sorted(spans, key=lambda s: s.ended)
    at, highest = 0, None
    for span in sorted(spans, key=lambda s: s.began):
        while at < len(by_end) and by_end[at].ended < span.began:
            if highest is None or by_end[at].number > highest.number:
                highest = by_end[at]
            at += 1
        if highest is None or highest is span:
            continue
        if highest.number > span.highest or (highest.number == span.number and span.writes):
            yield highest, span


def rule_of(earlier, later):
    if later.writes:
        return "real-time" if earlier.writes else "read-before-write"
    if earlier.writes and "status" not in earlier.operation:
        return "late-effect"
    same = earlier.operation["client"] == later.operation["client"]
    if earlier.writes:
        return "read-your-writes" if same else "stale-read"
    return "monotonic-reads" if same else "stale-read"


def account_spans(account):
    spans = []
    for key, version in account.versions.items():
        interval = account.effect_interval(key)
        if interval is not None:
            began, ended, operation = interval
            spans.append(Span(began, ended, version, version, operation, True))
    for operation, low, high in account.readings():
        spans.append(Span(operation["began"], operation["ended"], low, high, operation, False))
    return spans


def check_versions(account):
    account.spans = account_spans(account)
    for earlier, later in reversals(account.spans):
        account.flag(rule_of(earlier, later),
                     f"version {earlier.number} was there before {later.operation['kind']} "
                     f"{later.operation['id']} began, which speaks of version {later.highest}",
                     earlier.operation["id"], later.operation["id"])


def check_positions(accounts, violations, make):
    """Positions stand for one event each, and follow real time over all accounts."""
    owners, spans = {}, []
    for account in accounts:
        for version, facts in account.facts.items():
            if "position" not in facts:
                continue
            position, name = facts["position"]
            known = owners.setdefault(position, (account.name, version, name))
            if known[:2] != (account.name, version):
                violations.append(make("position-once", f"{position} is version {version} of "
                                       f"{account.name} and version {known[1]} of {known[0]}",
                                       (known[2], name)))
        for key, version in account.versions.items():
            interval = account.effect_interval(key)
            position = account.facts[version].get("position")
            if interval is not None and position is not None:
                began, ended, operation = interval
                number = place(position[0])
                spans.append(Span(began, ended, number, number, operation, True))
    for earlier, later in reversals(spans):
        if earlier.operation["account"] == later.operation["account"]:
            continue  # named by the versions already
        violations.append(make("real-time", f"position {earlier.number} was answered before the "
                               f"write of position {later.number} began",
                               (earlier.operation["id"], later.operation["id"])))
    return owners


def check_answers(account):
    """If-Match, and what a read's own position says of its version."""
    for operation in account.operations:
        version, status = operation.get("version"), operation.get("status")
        asked = operation.get("if_match")
        if asked is not None and status == 412 and operation.get("current") == asked:
            account.flag("if-match", f"412 though version {asked} was the current one",
                         operation["id"])
        if asked is not None and operation["kind"] in WRITES and status in (200, 201, 409) \
                and version is not None and version != asked + 1 \
                and all(o.get("if_match") == asked for o in account.by_key[operation["key"]]):
            account.flag("if-match", f"If-Match {asked} made version {version}", operation["id"])
        position = place(operation.get("position"))
        if operation["kind"] in WRITES or status != 200 or position is None:
            continue
        asked = place(operation.get("min_position"))
        if asked is not None and position < asked and "as_of_position" not in operation:
            account.flag("min-position", f"asked for {asked}, answered for {position}",
                         operation["id"])
        if version is not None and not is_past(operation):
            low, high = account.span(position)
            if not low <= version <= high:
                account.flag("read-cut", f"a read at position {position} shows version {version}, "
                             f"not {low}", operation["id"])
