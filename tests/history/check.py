#!/usr/bin/python3
"""Judges a recorded history: every promise that its answers let one check, in linear time.

  tests/history/check.py FILE...        files of one run, written by record.Recorder

The answers carry versions and positions, so the order of everything is known and nothing has to be
searched: a few sweeps over the operations of each account. Prints each violation with its rule and
the operations that contradict each other; exit status 1 if there is any. RULES names the promises.
"""

import collections
import sys

import fold
import keys
import lists
import order
import record
from facts import Account, Violation

RULES = {
    "version-once": "a version of an account is one event",
    "same-event": "whoever speaks of an event says the same of it, for ever",
    "gap": "versions have no gap: each is the effect of a command",
    "phantom": "no event that nobody asked for",
    "position-once": "a position is one event",
    "position-order": "positions of an account grow with its versions",
    "clock": "recorded time does not run backwards",
    "real-time": "a write that was answered before another began comes before it",
    "late-effect": "nothing takes effect after its server is dead",
    "read-your-writes": "a read shows the client's own writes",
    "stale-read": "a read shows every write that was answered before it began",
    "monotonic-reads": "a client's reads do not go back",
    "read-before-write": "no read shows a write that had not begun",
    "read-cut": "a read shows the version of its own position",
    "min-position": "a read reaches its min_position",
    "as-of": "a read of the past shows the version of that moment",
    "as-of-fixed": "a read of the past never changes",
    "value": "every value is the fold of the commands up to its version",
    "overdraw": "a strict charge or a hold never goes beyond what is available",
    "false-refusal": "no refusal where funds suffice",
    "refusal": "a refusal is short by what is missing",
    "if-match": "If-Match lets through exactly its version",
    "key-once": "a key has one effect",
    "key-answer": "a key has one answer",
    "key-reuse": "a key stands for one request",
    "key-denied": "a key is refused only where it stands for another request",
    "key-replayed": "exactly the repeated answers are marked so",
    "denied-effect": "what was denied has no effect",
    "batch-order": "items of a batch take effect in their order, none without those before it",
    "list": "a list holds what its query and position say",
    "statement": "a statement's opening, lines and closing fit",
    "log-gap": "the log has no gap",
    "lost": "what was acknowledged is in the log",
    "form": "the history itself makes sense",
}

KINDS = record.WRITES | record.READS | {record.OTHER}

# `left_out`: accounts with operations that there is no model for.
Report = collections.namedtuple("Report", "violations operations accounts given_up left_out")


def check_form(operations, violations):
    seen = set()
    for operation in operations:
        wrong = None
        if operation["id"] in seen:
            wrong = "its id is taken"
        elif operation.get("ended", record.FOREVER) < operation["began"]:
            wrong = "it ended before it began"
        elif operation["kind"] not in KINDS:
            wrong = f"kind {operation['kind']}"
        elif "status" in operation and "ended" not in operation:
            wrong = "it has an answer and no end"
        if wrong is not None:
            violations.append(Violation("form", wrong, (operation["id"],)))
        seen.add(operation["id"])
    return not violations


def by_account(operations):
    """Operations of each account; the rows of the log are dealt out as lists of their accounts, and
    a reading of the log up to its end is one of every account."""
    accounts = collections.defaultdict(list)
    reading = lists.Reading()
    for operation in operations:
        if operation["kind"] != "log":
            accounts[operation["account"]].append(operation)
            continue
        dealt = collections.defaultdict(list)
        for row in operation.get("rows", ()):
            if row.get("account") is not None:
                dealt[row["account"]].append(row)
        for name, rows in dealt.items():
            accounts[name].append({"id": operation["id"], "kind": "log", "rows": rows})
        if operation.get("status") == 200 and reading.add(operation):
            whole = {n: v for n, v in operation.items() if n != "rows"}
            for name in accounts:
                accounts[name].append({**whole, "version": reading.versions.get(name, 0)})
    return accounts


def check(operations):
    """A Report over the operations of one run; reads their dicts, changes none."""
    operations = list(operations)
    violations, given_up = [], 0
    if not check_form(operations, violations):
        return Report(violations, len(operations), 0, 0, 0)
    left_out = {o["account"] for o in operations if o["kind"] == record.OTHER}
    accounts = [Account(name, mine, violations) for name, mine in by_account(operations).items()
                if name not in left_out]
    for account in accounts:
        keys.check_keys(account)
        keys.check_batches(account)
        order.check_versions(account)
        order.check_answers(account)
        folded = fold.Fold(account)
        folded.run()
        given_up += folded.given_up
        lists.check_lists(account, folded)
        lists.check_past(account)
    owners = order.check_positions(accounts, violations, Violation)
    lists.check_log(operations, owners, violations, Violation)
    return Report(violations, len(operations), len(accounts), given_up, len(left_out))


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    report = check(record.read(*paths))
    for violation in report.violations[:100]:
        print(f"{violation.rule}: {violation.text} [operations "
              f"{', '.join(map(str, violation.operations))}]\n    {RULES[violation.rule]}")
    print(f"{report.operations} operations on {report.accounts} accounts, "
          f"{len(report.violations)} violations, {report.given_up} folds given up, "
          f"{report.left_out} accounts left out")
    return 1 if report.violations or report.given_up else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
