"""All kinds of wrong behaviour, and those that are strokes of the pen in a clean history."""

import faulty_reads  # noqa: F401, registers its kinds
import faulty_writes  # noqa: F401
from planting import LEDGERS, RULES_OF, STROKES, stroke
from record import READS


# -- strokes of the pen

def pairs(operations, fits):
    """Two acknowledged writes on one account, the first ended before the second began."""
    last = {}
    for operation in operations:
        if fits(operation):
            earlier = last.get(operation["account"])
            if earlier is not None and earlier["ended"] < operation["began"]:
                yield earlier, operation
            last[operation["account"]] = operation


def first_answer(operation):
    return operation.get("replayed") is False and operation.get("status") == 201 \
        and operation["kind"] in ("record", "top-up")


@stroke("real-time", "position-order", "same-event", "version-once", "value", "key-once",
        "read-cut", "clock")
def order_reversed(rng, operations):
    """Two writes, one after the other, with each other's version and position."""
    found = list(pairs(operations, first_answer))
    if not found:
        return False
    one, two = rng.choice(found)
    for name in ("version", "position", "event", "recorded"):
        one[name], two[name] = two[name], one[name]
    return True


@stroke("stale-read", "monotonic-reads", "read-before-write", "read-your-writes", "late-effect")
def reads_exchanged(rng, operations):
    """One client's reads go back in time."""
    last, found = {}, []
    for operation in operations:
        if operation["kind"] == "balance" and operation.get("status") == 200 \
                and not {"as_of", "as_of_position", "min_position"} & set(operation):
            earlier = last.get((operation["client"], operation["account"]))
            if earlier is not None and earlier["version"] < operation["version"]:
                found.append((earlier, operation))
            last[operation["client"], operation["account"]] = operation
    if not found:
        return False
    one, two = rng.choice(found)
    for name in ("version", "position", "balance", "available", "held", "credit_limit"):
        one[name], two[name] = two[name], one[name]
    return True


@stroke("read-before-write", "stale-read", "monotonic-reads", "read-your-writes", "real-time",
        "late-effect")
def read_from_the_future(rng, operations):
    """A read had ended before the write that it shows began."""
    found = []
    writes = {(o["account"], o["version"]): o for o in operations if first_answer(o)
              and sum(p.get("key") == o["key"] for p in operations) == 1}
    for operation in operations:
        if operation["kind"] == "balance" and operation.get("status") == 200 \
                and not {"as_of", "as_of_position"} & set(operation):
            write = writes.get((operation["account"], operation["version"]))
            if write is not None and write["began"] > 2:
                found.append((operation, write))
    if not found:
        return False
    read, write = rng.choice(found)
    read["began"], read["ended"] = write["began"] - 2, write["began"] - 1
    return True


@stroke("real-time")
def positions_of_two_accounts_reversed(rng, operations):
    """One account's write was answered before another's began, and is at the higher position."""
    sole = [o for o in operations if first_answer(o)
            and sum(p.get("key") == o["key"] for p in operations) == 1
            and not any(r["version"] == o["version"] and "position" in r for p in operations
                        if p["account"] == o["account"] and p["kind"] in READS
                        for r in p.get("rows", ()))]
    found = [(a, b) for a in sole for b in sole
             if a["account"] != b["account"] and a["ended"] < b["began"]]
    if not found:
        return False
    one, two = rng.choice(found)
    far = max(int(o["position"][2:]) for o in operations if "position" in o) + 1000
    one["position"], two["position"] = f"0:{far}", two["position"]
    return True


@stroke("key-once", "same-event", "version-once", "key-answer", "key-replayed", "gap", "value",
        "phantom", "position-once")
def unknown_answered_two_ways(rng, operations):
    """A retry is told of one event, the log shows the key at another."""
    found = [o for o in operations if o.get("replayed") and o.get("status") == 201]
    if not found:
        return False
    chosen = rng.choice(found)
    chosen["version"] += 1
    return True


ANOMALIES = list(RULES_OF)
__all__ = ["ANOMALIES", "LEDGERS", "RULES_OF", "STROKES"]
