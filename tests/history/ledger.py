"""A ledger in memory that answers as Daybook does, for generated histories.

It is correct. `anomalies.py` derives ledgers from it that break one promise once: each of the small
methods is a place where that can happen.
"""

import model
from record import WRITES, decimal, units

TYPES = {"open": "AccountOpened", "charge": "ChargePosted", "record": "ChargePosted",
         "top-up": "BalanceToppedUp", "adjust": "AdjustmentPosted", "limit": "CreditLimitSet",
         "hold": "HoldPlaced", "release": "HoldReleased"}
REFUSED = {"charge": "ChargeRefused", "hold": "CommandRefused"}


def moment(micros):
    """A recorded time whose order is the order of its text."""
    return f"2026-01-01T{micros:015d}Z"


class Event:
    """One row of the log: what it says, and the state of its account right after it."""

    def __init__(self, **members):
        self.__dict__.update(members)

    def copy(self, **changes):
        return Event(**{**self.__dict__, **changes})


class Ledger:
    def __init__(self, rng):
        self.rng = rng
        self.log = []        # every event, by position; account None for those of other streams
        self.accounts = {}   # name -> its events, by version - 1
        self.stored = {}     # (account, key) -> (request, answer)
        self.now = 0
        self.handled = {}    # the operation at hand
        self.silent = False  # whether nobody will hear the answers of the batch at hand
        self.forget = lambda _operation: True  # see Run.forget

    # -- writes

    def write(self, operation):
        """Decides and records a command; its answer."""
        account, key = operation["account"], operation["key"]
        request = (operation["kind"], operation.get("amount"))
        stored = self.stored.get((account, key))
        if stored is not None:
            return self.replay(operation, request, *stored)
        return self.fresh(operation, request)

    def replay(self, operation, request, first, answer):
        if request != first:
            return {"status": 422, "slug": "idempotency-key-reuse"}
        return {**answer, "replayed": True}

    def fresh(self, operation, request):
        events = self.accounts.get(operation["account"], [])
        asked = operation.get("if_match")
        if asked is not None and not self.matches(asked, events):
            return {"status": 412, "slug": "precondition-failed", "current": len(events)}
        before = self.state_for(operation, events)
        amount = self.amount(operation)
        after, outcome, short = self.decide(before, operation["kind"], amount)
        if outcome == model.ABSENT:
            return {"status": 404, "slug": "not-found", "current": 0}
        if outcome == model.EXISTS:
            return {"status": 409, "slug": "account-exists"}
        event = self.append(operation, after, outcome)
        answer = self.answer(operation, event, outcome, short)
        self.stored[operation["account"], operation["key"]] = (request, answer)
        return {**answer, "replayed": False}

    def amount(self, operation):
        return units(operation.get("amount", "0"))

    def matches(self, asked, events):
        return asked == len(events)

    def state_for(self, _operation, events):
        return events[-1].state if events else None

    def decide(self, state, kind, amount):
        return model.step(state, kind, amount)

    def append(self, operation, state, outcome):
        name = operation["account"]
        if self.rng.randrange(16) == 0:
            self.place(Event(account=None, version=1, type="PaymentClaimed", key=None,
                             amount=None, state=None))
        events = self.accounts.setdefault(name, [])
        kind = operation["kind"]
        event = Event(account=name, version=len(events) + 1, key=operation["key"],
                      type=(REFUSED if outcome == model.REFUSED else TYPES)[kind],
                      amount=operation.get("amount"), state=state,
                      money=model.changes_money(kind, outcome))
        self.place(event)
        events.append(event)
        return event

    def place(self, event):
        event.position = f"0:{len(self.log)}"
        event.event = f"e{len(self.log):06d}"
        event.recorded = moment(self.now)
        self.log.append(event)

    def answer(self, operation, event, outcome, short):
        answer = {"status": 201, "version": event.version, "position": event.position}
        if outcome == model.REFUSED:
            return {**answer, "status": 409, "slug": "insufficient-funds", "event": event.event,
                    "short_by": decimal(short)}
        answer.update(event=event.event, recorded=event.recorded, type=event.type)
        kind = operation["kind"]
        if kind in model.MONEY:
            answer["balance"] = decimal(model.shows(event.state, "balance"))
        if kind != "open":
            answer["available"] = decimal(model.shows(event.state, "available"))
        if kind in ("hold", "release"):
            answer["held"] = decimal(model.shows(event.state, "held"))
        return answer

    # -- reads

    def read(self, operation):
        kind = operation["kind"]
        if kind == "log":
            return self.read_log(operation)
        events = self.visible(operation)
        if not events:
            return {"status": 404, "slug": "not-found", "current": 0}
        answer = {"status": 200, "position": self.position(operation, events)}
        if kind in ("balance", "account"):
            return {**answer, **self.values(operation, events[-1])}
        if kind == "events":
            after = int((operation.get("after") or "0:-1")[2:])
            rows = [e for e in events if int(e.position[2:]) > after][:operation["limit"]]
            return {**answer, "rows": [self.row(e) for e in rows]}
        if kind == "transactions":
            rows = [e for e in events if e.money][::-1][:operation["limit"]]
            return {**answer, "rows": [self.money_row(e) for e in rows]}
        return {**answer, **self.statement(operation, events)}

    def visible(self, operation):
        """The events that a read speaks of: all, or those of its moment in the past."""
        events = self.accounts.get(operation["account"], [])
        if "as_of_position" in operation:
            last = int(operation["as_of_position"][2:])
            return [e for e in events if int(e.position[2:]) <= last]
        if "as_of" in operation:
            return [e for e in events if e.recorded <= operation["as_of"]]
        return events

    def position(self, operation, events):
        past = "as_of" in operation or "as_of_position" in operation
        return events[-1].position if past else f"0:{len(self.log) - 1}"

    def values(self, _operation, event):
        return {"version": event.version,
                **{name: decimal(model.shows(event.state, name)) for name in model.VALUES}}

    def row(self, event):
        return {"position": event.position, "account": event.account, "version": event.version,
                "event": event.event, "type": event.type, "key": event.key,
                "amount": event.amount, "recorded": event.recorded,
                "balance": decimal(event.state[0]) if event.account and event.money else None}

    def money_row(self, event):
        return {"version": event.version, "event": event.event, "type": event.type,
                "recorded": event.recorded, "balance": decimal(event.state[0])}

    def statement(self, operation, events):
        money = [e for e in events if e.money]
        early = [e for e in money if e.recorded < operation["since"]]
        late = money[len(early):]
        opening = early[-1].state[0] if early else 0
        closing = late[-1].state[0] if late else opening
        rows = late[:operation["limit"]]
        return {"opening": decimal(opening), "closing": decimal(closing),
                "more": len(late) > len(rows), "rows": [self.money_row(e) for e in rows]}

    def read_log(self, operation):
        after = int((operation.get("after") or "0:-1")[2:])
        rows = self.log[after + 1:after + 1 + operation["limit"]]
        return {"status": 200, "position": f"0:{len(self.log) - 1}",
                "rows": [self.row(e) for e in rows]}

    # -- what a ledger that means ill may want to know

    def crash(self):
        """The process dies and starts again over what it recorded."""

    def learned(self, operation):
        """A client has this answer."""

    def orphan(self, operation):
        """The process died before this request, which nobody repeats, arrived."""


def handle(ledger, operation):
    """One request at the moment at which it takes effect."""
    ledger.handled = operation
    return (ledger.write if operation["kind"] in WRITES else ledger.read)(operation)
