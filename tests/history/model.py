"""What a command does to an account, said once more and as simply as it can be said.

A state is (balance, limit, held) in counts of 10^-12, or None before the account is open. Used by
the fold of the checker, by the search and by the generated histories; it shares nothing with the
server.
"""

OPENED = (0, 0, 0)
OK, REFUSED, ABSENT, EXISTS = "ok", "refused", "absent", "exists"


def available(state):
    balance, limit, held = state
    return balance + limit - held


def step(state, kind, amount):
    """(state after, outcome, short by) of one command; `amount` is what the request says."""
    if kind == "open":
        return (OPENED, OK, 0) if state is None else (state, EXISTS, 0)
    if state is None:
        return None, ABSENT, 0
    balance, limit, held = state
    if kind in ("charge", "hold"):
        short = amount - available(state)
        if short > 0:
            return state, REFUSED, short
        if kind == "charge":
            return (balance - amount, limit, held), OK, 0
        return (balance, limit, held + amount), OK, 0
    if kind == "record":
        return (balance - amount, limit, held), OK, 0
    if kind in ("top-up", "adjust"):
        return (balance + amount, limit, held), OK, 0
    if kind == "limit":
        return (balance, amount, held), OK, 0
    if kind == "release":
        return (balance, limit, held - amount), OK, 0
    raise ValueError(kind)


def shows(state, field):
    """What an answer that speaks of this state shows in a field."""
    balance, limit, held = state
    if field == "balance":
        return balance
    if field == "available":
        return max(0, available(state))
    if field == "held":
        return held
    if field == "credit_limit":
        return limit
    raise ValueError(field)


VALUES = ("balance", "available", "held", "credit_limit")
MONEY = frozenset(("charge", "record", "top-up", "adjust"))

# The types of the events that a kind of command makes, when it is accepted and when it is refused.
TYPES = {
    "open": (("AccountOpened",), ()),
    "charge": (("ChargePosted",), ("ChargeRefused",)),
    "record": (("ChargePosted",), ()),
    "top-up": (("BalanceToppedUp",), ()),
    "adjust": (("AdjustmentPosted", "CreditNoteIssued"), ()),
    "limit": (("CreditLimitSet", "NoChange"), ()),
    "hold": (("HoldPlaced",), ("CommandRefused",)),
    "release": (("HoldReleased",), ()),
}


def changes_money(kind, outcome):
    """Whether the event is a row of /transactions."""
    return kind in MONEY and outcome == OK
