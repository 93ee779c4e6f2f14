"""Ledgers that show one thing wrongly."""

import model
from planting import Faulty, ledger
from record import decimal, units


# -- reads

class FaultyRead(Faulty):
    kinds = ("balance", "account")

    def fits(self, operation):
        return operation["kind"] in self.kinds and not {"as_of", "as_of_position"} & set(operation)


@ledger("stale-read", "read-your-writes", "monotonic-reads", "read-cut", "min-position")
class stale_read(FaultyRead):
    """A read misses writes that were acknowledged long before; position and version agree."""
    def visible(self, operation):
        events = super().visible(operation)
        if self.now_if(self.fits(operation) and self.acknowledged(events)):
            self.stale = events[:-2]
            return events[:-2]
        return events

    def acknowledged(self, events):
        return len(events) > 4 and any(
            self.told.get((e.account, e.key), self.now) < self.now - 40 for e in events[-2:])

    def position(self, operation, events):
        if getattr(self, "stale", None) is events:
            return events[-1].position
        return super().position(operation, events)


@ledger("read-cut", "stale-read", "read-your-writes", "monotonic-reads")
class old_values_at_a_new_position(FaultyRead):
    """The version lags behind the position that the answer claims."""
    def values(self, operation, event):
        events = self.accounts[operation["account"]]
        if self.now_if(self.fits(operation) and len(events) > 3
                       and (events[-1].account, events[-1].key) in self.told):
            event = events[-2]
        return super().values(operation, event)


@ledger("value")
class read_of_what_never_was(FaultyRead):
    """The right version with the balance of a command that was refused."""
    def values(self, operation, event):
        if self.now_if(event.type == "ChargeRefused"):
            event = event.copy(state=(event.state[0] - units(event.amount), *event.state[1:]))
        return super().values(operation, event)


@ledger("value")
class read_one_unit_off(FaultyRead):
    def values(self, operation, event):
        if self.now_if(len(self.accounts[operation["account"]]) > 2):
            event = event.copy(state=(event.state[0] - 1, *event.state[1:]))
        return super().values(operation, event)


@ledger("value")
class available_without_holds(FaultyRead):
    def values(self, operation, event):
        answer = super().values(operation, event)
        balance, limit, held = event.state
        if self.now_if(held > 0 and balance + limit - held > 0):
            answer["available"] = decimal(balance + limit)
        return answer


@ledger("value", "stale-read", "read-your-writes", "monotonic-reads", "read-cut", "gap",
        "read-before-write", "as-of", "as-of-fixed", "min-position")
class another_accounts_balance(FaultyRead):
    def values(self, operation, event):
        others = [e for n, e in self.accounts.items() if n != operation["account"]]
        if self.now_if(others and others[0][-1].state[0] != event.state[0]):
            event = others[0][-1].copy(version=event.version)
        return super().values(operation, event)


@ledger("stale-read", "read-your-writes", "monotonic-reads", "late-effect")
class account_not_found(FaultyRead):
    def visible(self, operation):
        events = super().visible(operation)
        return [] if self.now_if(self.fits(operation) and len(events) > 3 and self.old(events)) \
            else events

    def old(self, events):
        return self.told.get((events[0].account, events[0].key), self.now) < self.now - 40


@ledger("min-position", "read-cut", "stale-read", "read-your-writes", "monotonic-reads")
class min_position_ignored(FaultyRead):
    def position(self, operation, events):
        asked = operation.get("min_position")
        if self.now_if(asked is not None and self.fits(operation) and asked != "0:0"):
            return f"0:{int(asked[2:]) - 1}"
        return super().position(operation, events)


@ledger("as-of", "as-of-fixed", "value")
class past_without_its_own_event(FaultyRead):
    """as_of_position is taken as exclusive, once."""
    def visible(self, operation):
        events = super().visible(operation)
        if self.now_if("as_of_position" in operation and len(events) > 2
                       and events[-1].position == operation["as_of_position"]):
            return events[:-1]
        return events


@ledger("as-of", "as-of-fixed")
class past_shows_the_present(FaultyRead):
    def visible(self, operation):
        events = super().visible(operation)
        now = self.accounts.get(operation["account"], [])
        if self.now_if("as_of" in operation and events and now[-1].recorded > operation["as_of"]):
            return now
        return events


@ledger("value", "as-of-fixed")
class past_rewritten(FaultyRead):
    """A limit set today shows in the past."""
    def values(self, operation, event):
        now = self.accounts[operation["account"]][-1].state
        if self.now_if("as_of_position" in operation and now[1] != event.state[1]):
            event = event.copy(state=(event.state[0], now[1], event.state[2]))
        return super().values(operation, event)


@ledger("as-of-fixed")
class past_that_changes(FaultyRead):
    """The same moment of the past, asked for again, has another balance."""
    def __init__(self, rng, occasion):
        super().__init__(rng, occasion)
        self.answered = set()

    def learned(self, operation):
        super().learned(operation)
        self.answered.add((operation["account"], operation.get("as_of_position")))

    def values(self, operation, event):
        asked = (operation["account"], operation.get("as_of_position"))
        if self.now_if(asked[1] is not None and asked in self.answered):
            event = event.copy(state=(event.state[0] - 10 ** 10, *event.state[1:]))
        return super().values(operation, event)


# -- lists

class FaultyRows(Faulty):
    kind = "events"

    def read(self, operation):
        answer = super().read(operation)
        if operation["kind"] == self.kind and answer["status"] == 200 \
                and self.now_if(self.fits(operation, answer["rows"])):
            answer["rows"] = self.bend(answer["rows"])
        return answer

    def fits(self, _operation, rows):
        return len(rows) > 2


@ledger("list")
class events_with_a_hole(FaultyRows):
    def bend(self, rows):
        return rows[:1] + rows[2:]


@ledger("list", "position-order")
class events_out_of_order(FaultyRows):
    def bend(self, rows):
        return [rows[1], rows[0], *rows[2:]]


@ledger("list")
class events_cut_short(FaultyRows):
    """The newest events are missing though the position covers them."""
    def fits(self, operation, rows):
        return len(rows) > 3 and operation["limit"] > len(rows)

    def bend(self, rows):
        return rows[:-1]


@ledger("same-event", "version-once", "position-order", "key-once", "phantom", "value")
class event_changed_later(FaultyRows):
    """The log names another event than the acknowledgement did."""
    def fits(self, operation, rows):
        return len(rows) > 2 and (rows[1]["account"], rows[1]["key"]) in self.told

    def bend(self, rows):
        return [rows[0], {**rows[1], "event": "e999999"}, *rows[2:]]


@ledger("phantom", "version-once")
class event_that_nobody_asked_for(Faulty):
    def append(self, operation, state, outcome):
        events = self.accounts.get(operation["account"])
        if self.now_if(events and len(events) > 2):
            super().append({**operation, "key": "stranger", "kind": "top-up"},
                           events[-1].state, model.OK)
        return super().append(operation, state, outcome)


@ledger("list")
class money_row_missing(FaultyRows):
    kind = "transactions"

    def bend(self, rows):
        return [rows[0], *rows[2:]]


@ledger("list")
class money_row_twice(FaultyRows):
    kind = "transactions"

    def bend(self, rows):
        return [rows[0], *rows]


@ledger("value")
class money_row_with_another_balance(FaultyRows):
    kind = "transactions"

    def bend(self, rows):
        wrong = decimal(units(rows[0]["balance"]) + 10 ** 10)
        return [{**rows[0], "balance": wrong}, *rows[1:]]


@ledger("statement")
class statement_that_does_not_close(Faulty):
    def statement(self, operation, events):
        answer = super().statement(operation, events)
        if self.now_if(answer["rows"] and not answer["more"]):
            answer["closing"] = decimal(units(answer["closing"]) + 10 ** 10)
        return answer


@ledger("statement", "list")
class statement_with_a_wrong_opening(Faulty):
    def statement(self, operation, events):
        answer = super().statement(operation, events)
        if self.now_if(answer["rows"] and operation["since"] != "2000"):
            answer["opening"] = decimal(units(answer["opening"]) + 10 ** 10)
        return answer


@ledger("log-gap", "lost")
class log_with_a_hole(FaultyRows):
    kind = "log"

    def bend(self, rows):
        return rows[:2] + rows[3:]
