"""Is there any order at all? The general check, by search, for small histories.

Wing and Gong's search with Lowe's memory of what was tried: an order of the operations of one
account that real time allows and in which a ledger would have given these answers. It looks at
neither versions nor positions (of a version only that a keyed command makes one, for If-Match), so
it can be wrong only in other ways than `check.py`; whatever that accepts, this must accept.
Reads of the past and marks of replays are left out. Takes exponential time at worst; `explains`
gives up after STEPS_MAX with None.
"""

import model
from facts import settled, is_past
from record import FOREVER, READS, WRITES, units, unknown

STEPS_MAX = 2_000_000
REUSED = "idempotency-key-reuse"


def relevant(operation):
    """Whether the search can say anything about an operation."""
    kind, status = operation["kind"], operation.get("status")
    if kind in WRITES:
        return True
    if kind not in READS or kind == "log" or is_past(operation):
        return False
    return status == 404 or (status == 200 and kind in ("balance", "account", "transactions"))


def apply(state, operation):
    """(state after, whether the answer fits); state = (money, count of events, answers by key)."""
    money, count, answers = state
    if operation["kind"] not in WRITES:
        return state, read_fits(money, operation)
    key, status = operation["key"], operation.get("status")
    request = (operation["kind"], operation.get("amount"))
    stored = dict(answers).get(key)
    if stored is not None:
        if stored[0] != request:
            return state, unknown(operation) or operation.get("slug") == REUSED
        return state, unknown(operation) or (settled(operation) and answer_fits(
            operation, *stored[1:]))
    asked = operation.get("if_match")
    if asked is not None and asked != count:
        return state, unknown(operation) or status == 412
    after, outcome, short = model.step(money, operation["kind"], units(
        operation.get("amount", "0")))
    if outcome == model.ABSENT:
        return state, unknown(operation) or status == 404
    if outcome == model.EXISTS:
        return state, unknown(operation)
    fits = unknown(operation) or (settled(operation) and answer_fits(
        operation, outcome, short, after))
    answers = tuple(sorted((*answers, (key, (request, outcome, short, after)))))
    return (after, count + 1, answers), fits


def answer_fits(operation, outcome, short, after):
    if (operation["status"] == 409) != (outcome == model.REFUSED):
        return False
    if "short_by" in operation and units(operation["short_by"]) != short:
        return False
    return values_fit(after, operation)


def values_fit(money, said):
    return all(units(said[field]) == model.shows(money, field)
               for field in model.VALUES if said.get(field) is not None)


def read_fits(money, operation):
    if operation["status"] == 404 or money is None:
        return operation["status"] == 404 and money is None
    if operation["kind"] == "transactions":
        rows = operation["rows"]
        return units(rows[0]["balance"]) == money[0] if rows else money[0] == 0
    return values_fit(money, operation)


def explains(operations):
    """True if some order explains the operations of one account, False if none does."""
    chosen = [o for o in operations if relevant(o)]
    chosen.sort(key=lambda o: o["began"])
    size = len(chosen)
    begins = [o["began"] for o in chosen]
    ends = [o.get("ended", o.get("until", FOREVER)) for o in chosen]
    needed = sum(1 << n for n in range(size) if "status" in chosen[n]
                 and not unknown(chosen[n]))
    tried, steps = set(), 0

    def candidates(done):
        """Operations that may come next: begun before every needed one that is left has ended."""
        limit = min((ends[n] for n in range(size) if needed >> n & 1 and not done >> n & 1),
                    default=FOREVER)
        for n in range(size):
            if begins[n] > limit:
                return
            if not done >> n & 1:
                yield n

    stack = [(0, (None, 0, ()), candidates(0))]
    while stack:
        done, state, following = stack[-1]
        if needed & ~done == 0:
            return True
        for n in following:
            steps += 1
            if steps > STEPS_MAX:
                return None
            after, fits = apply(state, chosen[n])
            if not fits or (after == state and not needed >> n & 1):
                continue
            mark = done | 1 << n
            if (mark, after) in tried or too_late(n, done, begins, ends):
                continue
            tried.add((mark, after))
            stack.append((mark, after, candidates(mark)))
            break
        else:
            stack.pop()
    return False


def too_late(n, done, begins, ends):
    """Whether an operation that is already in the order began after this one was over."""
    return any(done >> m & 1 and begins[m] > ends[n] for m in range(len(begins)))


def check(operations):
    """Accounts that nothing explains, and those that were given up."""
    by_account = {}
    for operation in operations:
        if operation["kind"] != "log":
            by_account.setdefault(operation["account"], []).append(operation)
    failing, given_up = [], []
    for name, mine in by_account.items():
        verdict = explains(mine)
        if verdict is None:
            given_up.append(name)
        elif not verdict:
            failing.append(name)
    return failing, given_up
