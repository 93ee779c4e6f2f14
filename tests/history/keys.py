"""Idempotency: exactly one effect and one answer for a key, no effect where none was granted."""

from facts import denied, settled
from record import unknown

ANSWER = ("status", "version", "position", "event", "recorded", "balance", "available", "held",
          "short_by")
REUSED = "idempotency-key-reuse"


def request_of(operation):
    return tuple(operation.get(name) for name in ("kind", "amount", "hold"))


def check_key(account, key, writes):
    answers = [o for o in writes if settled(o)]
    requests = {request_of(o) for o in writes}
    if answers:
        first = answers[0]
        for other in answers[1:]:
            if request_of(other) != request_of(first):
                account.flag("key-reuse", f"key {key} was accepted for two requests",
                             first["id"], other["id"])
            differs = [n for n in ANSWER if n in first and n in other and first[n] != other[n]]
            if differs:
                account.flag("key-answer", f"key {key} was answered differently: " + ", ".join(
                    f"{n} {first[n]} and {other[n]}" for n in differs), first["id"], other["id"])
        check_marks(account, key, writes, answers)
        if key not in account.versions and account.log_read_at > min(o["ended"] for o in answers):
            account.flag("lost", f"key {key} was answered and is not in the log", first["id"])
    for operation in writes:
        if operation.get("slug") != REUSED:
            continue
        others = requests - {request_of(operation)}
        owners = {request_of(o) for o in answers}
        if not others or request_of(operation) in owners:
            account.flag("key-denied", f"key {key} was called another request's without one",
                         operation["id"])
    if key in account.versions and all(denied(o) for o in writes):
        row = account.facts[account.versions[key]]["key"][1]
        account.flag("denied-effect", f"key {key} was denied and has version "
                     f"{account.versions[key]}", writes[0]["id"], row)


def check_marks(account, key, writes, answers):
    """Exactly one answer is the first one; the others say that they repeat it."""
    fresh = [o for o in answers if o.get("replayed") is False]
    if len(fresh) > 1:
        account.flag("key-replayed", f"key {key} has two first answers",
                     fresh[0]["id"], fresh[1]["id"])
    if all(o.get("replayed") for o in answers) and not any(unknown(o) for o in writes):
        account.flag("key-replayed", f"key {key} repeats an answer that nobody got",
                     answers[0]["id"])
    ended = min(o["ended"] for o in answers)
    for operation in fresh:
        if operation["began"] > ended:
            account.flag("key-replayed", f"key {key} was answered before and is not marked so",
                         operation["id"])


def check_keys(account):
    for key, writes in account.by_key.items():
        check_key(account, key, writes)
    for version, facts in account.facts.items():
        if "key" in facts and facts["key"][0] not in account.by_key:
            account.flag("phantom", f"version {version} has key {facts['key'][0]}, which nobody "
                         "sent", facts["key"][1])


def surely_by(operation, writes):
    """Whether nobody but this request can have made the event of their key."""
    return all(o is operation or denied(o) or o.get("replayed") for o in writes)


def check_batches(account):
    """Items of one batch take effect in their order, and none without the ones before it."""
    batches = {}
    for writes in account.by_key.values():
        for operation in writes:
            if "batch" in operation:
                batches.setdefault(operation["batch"], []).append(operation)
    for name, items in batches.items():
        items.sort(key=lambda o: o["item"])
        lowest = None
        for operation in reversed(items):
            version = account.versions.get(operation["key"])
            if lowest is not None and overtaken(account, operation, version, lowest[0]):
                what = "has no effect" if version is None else f"is version {version}"
                account.flag("batch-order", f"item {operation['item']} of batch {name} {what}, "
                             f"a later item is version {lowest[0]}",
                             operation["id"], lowest[1]["id"])
            if version is not None and surely_by(operation, account.by_key[operation["key"]]) \
                    and (lowest is None or version < lowest[0]):
                lowest = (version, operation)


def overtaken(account, operation, version, later):
    """Whether an item that can not have been denied came after a later item, or never."""
    if denied(operation) or (unknown(operation) and "status" in operation):
        return False  # it was told so, or to come again
    if version is not None:
        return version > later and not can_be_denied(account, operation)
    unnamed = any("key" not in account.facts.get(v, {}) for v in range(1, later))
    return not unnamed and not can_be_denied(account, operation)


def can_be_denied(account, operation):
    """Whether a request without an answer may have been denied for a good reason."""
    if settled(operation):
        return False
    opened = [o["ended"] for o in account.operations if o["kind"] == "open" and settled(o)]
    requests = {request_of(o) for o in account.by_key[operation["key"]]}
    return "if_match" in operation or len(requests) > 1 \
        or not opened or min(opened) >= operation["began"]
