"""What the answers about one account say of its versions, put together; contradictions are named.

A version is written once: whoever speaks of it, whenever, must name the same key, event, position
and time. What is shown of its state (balance and so on) is kept as `seen`, for the fold.
"""

import bisect
import collections

from record import FOREVER, READS, WRITES, place, units, unknown
from model import VALUES

Violation = collections.namedtuple("Violation", "rule text operations")

# What two sources say of one version must be equal; the rule that they break otherwise.
FACTS = {"key": "version-once", "event": "same-event", "position": "same-event",
         "recorded": "same-event", "type": "same-event", "amount": "same-event"}


def accepted(operation):
    """A write whose answer names the version that it made, or that its key made before."""
    return operation.get("status") in (200, 201, 409) and "version" in operation


def settled(operation):
    """A write whose event was there when it was answered; a refusal in a batch names no version."""
    return accepted(operation) or (operation.get("status") == 409 and "short_by" in operation)


def denied(operation):
    """A write that was told it has no effect."""
    return not unknown(operation) and not settled(operation)


def is_past(operation):
    """Whether a read asked for a moment of the past."""
    return "as_of" in operation or "as_of_position" in operation


def current(operation):
    """The version that a read, a 412 or a 404 shows as the latest, or None."""
    if is_past(operation):
        return None
    if operation.get("status") in (404, 412):
        return operation.get("current")
    if operation["kind"] in ("balance", "account", "log") and operation.get("status") == 200:
        return operation["version"]
    return None


class Account:
    """Operations on one account and the versions they speak of."""

    def __init__(self, name, operations, violations):
        self.name = name
        self.operations = operations
        self.violations = violations
        self.facts = {}    # version -> {fact: (value, operation id)}
        self.seen = {}     # version -> {(field, value): operation id}
        self.by_key = {}   # key -> its writes
        self.versions = {}  # key -> version
        self.log_read_at = max((o["began"] for o in operations if o["kind"] == "log"
                                and "version" in o), default=-1)  # all of it, the last time
        self._collect()
        self.last = max([*self.facts, *self.seen, 0])
        self._positions()

    def flag(self, rule, text, *operations):
        self.violations.append(Violation(rule, f"account {self.name}: {text}", operations))

    def _collect(self):
        for operation in self.operations:
            name = operation["id"]
            if operation["kind"] in WRITES:
                self.by_key.setdefault(operation["key"], []).append(operation)
                if accepted(operation):
                    self.learn(operation["version"], name, operation)
                elif current(operation) is not None:
                    self.seen.setdefault(operation["current"], {})
            elif operation.get("status") == 200 and "version" in operation:
                self.show(operation["version"], name, operation)
            elif current(operation) is not None:
                self.seen.setdefault(operation["current"], {})
            for row in operation.get("rows", ()):
                self.learn(row["version"], name, row)
                if "position" in row and row.get("key") is None:
                    self.flag("phantom", f"version {row['version']} has no key", name)

    def learn(self, version, name, said):
        """An answer or a row that stands for one version."""
        facts = self.facts.setdefault(version, {})
        for fact, rule in FACTS.items():
            value = said.get(fact)
            if value is None:
                continue
            if fact == "amount":
                value = units(value)
            known = facts.setdefault(fact, (value, name))
            if known[0] != value:
                self.flag(rule, f"version {version} has {fact} {known[0]} and {value}",
                          known[1], name)
        key = said.get("key")
        if key is not None:
            known = self.versions.setdefault(key, version)
            if known != version:
                self.flag("key-once", f"key {key} took effect in versions {known} and {version}",
                          self.facts[known]["key"][1], name)
        self.show(version, name, said)

    def show(self, version, name, said):
        """Values of the state right after a version."""
        seen = self.seen.setdefault(version, {})
        for field in VALUES:
            if field in said and said[field] is not None:
                seen.setdefault((field, units(said[field])), name)

    def _positions(self):
        """Positions grow with the versions, and so does recorded time."""
        self.known = []    # versions with a position, ascending
        self.places = []   # their positions
        before = None
        for version in sorted(self.facts):
            facts = self.facts[version]
            if "position" not in facts:
                continue
            position, name = place(facts["position"][0]), facts["position"][1]
            recorded = facts.get("recorded", (None,))[0]
            if before is not None:
                if position <= before[0]:
                    self.flag("position-order", f"version {version} is at {position}, after an "
                              f"earlier one at {before[0]}", before[2], name)
                if recorded is not None and before[1] is not None and recorded < before[1]:
                    self.flag("clock", f"version {version} was recorded at {recorded}, an earlier "
                              f"one at {before[1]}", before[2], name)
            before = (position, recorded, name)
            self.known.append(version)
            self.places.append(position)

    def span(self, position):
        """(lowest, highest) version that may be the last one up to a position."""
        at = bisect.bisect_right(self.places, position)
        low = self.known[at - 1] if at else 0
        high = self.known[at] - 1 if at < len(self.known) else max(self.last, low)
        return low, high

    def recorded(self, version):
        return self.facts.get(version, {}).get("recorded", (None,))[0]

    def executors(self, key):
        """The writes under a key that can have made its event."""
        return [o for o in self.by_key.get(key, ()) if not denied(o)]

    def effect_interval(self, key):
        """(from, to): the event of a key was made within; with the operation that ends it."""
        executors = self.executors(key)
        if not executors:
            return None
        began = min(o["began"] for o in executors)
        answers = [o for o in executors if settled(o)]
        last = min(answers, key=lambda o: o["ended"], default=None)
        ended = last["ended"] if last else FOREVER
        if all(o.get("replayed") for o in answers):
            until = max((o.get("until", FOREVER) for o in executors if unknown(o)),
                        default=FOREVER)
            if until < ended:
                ended, last = until, next(o for o in executors if unknown(o))
        return began, ended, last or executors[0]

    def readings(self):
        """(operation, lowest, highest) of everything that shows a latest version; a list shows it
        by its position and its rows."""
        for operation in self.operations:
            version = current(operation)
            if version is not None:
                yield operation, version, version
            elif operation["kind"] in READS and operation.get("status") == 200 \
                    and not is_past(operation):
                low, high = self.span(place(operation["position"]))
                low = max([low, *(row["version"] for row in operation["rows"])])
                yield operation, low, max(low, high)
