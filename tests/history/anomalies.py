"""Kinds of wrong behaviour, each planted once into a generated history.

Most are ledgers that break one promise at one moment and go on from there, so that everything that
follows fits the wrong state, as it would with a real fault. A few are strokes of the pen in a
clean history. `RULES_OF` says which rules may name a kind; any other name is a failed test.
"""

import model
from ledger import Event, Ledger, moment
from record import READS, decimal, units

RULES_OF = {}
LEDGERS = {}
STROKES = {}


def ledger(*rules):
    def register(kind):
        RULES_OF[kind.__name__] = set(rules)
        LEDGERS[kind.__name__] = kind
        return kind
    return register


def stroke(*rules):
    def register(function):
        RULES_OF[function.__name__] = set(rules)
        STROKES[function.__name__] = function
        return function
    return register


class Faulty(Ledger):
    """Breaks its promise at the n-th occasion, once; `planted` names where."""

    def __init__(self, rng, occasion):
        super().__init__(rng)
        self.occasions_left = occasion
        self.planted = None   # the operation at hand when it happened
        self.told = {}        # (account, key) -> when a client had the answer
        self.shown = set()    # (account, version) that a client has seen

    def learned(self, operation):
        if "key" in operation:
            self.told[operation["account"], operation["key"]] = self.now
        elif operation["kind"] == "balance" and "version" in operation:
            self.shown.add((operation["account"], operation["version"]))

    def heard(self, operation):
        return (operation["account"], operation["key"]) in self.told

    needs_answer = True       # it shows only if the operation at hand is answered

    def now_if(self, occasion):
        if not occasion or self.planted is not None:
            return False
        self.occasions_left -= 1
        if self.occasions_left >= 0:
            return False
        self.planted = self.handled
        return True


def moved(events):
    """Whether the last event changed the balance."""
    return len(events) > 2 and events[-1].state[0] != events[-2].state[0]


# -- writes that go wrong

@ledger("value")
class lost_update(Faulty):
    """A command is decided on the state before the last one, whose effect is lost."""
    def state_for(self, operation, events):
        if self.now_if(moved(events) and operation["kind"] in ("record", "top-up")):
            return events[-2].state
        return super().state_for(operation, events)


@ledger("overdraw")
class double_spend(Faulty):
    """A strict charge is decided on money that the charge before it took."""
    def decide(self, state, kind, amount):
        result = super().decide(state, kind, amount)
        if self.now_if(kind == "charge" and result[1] == model.REFUSED):
            return model.step(state, "record", amount)
        return result


@ledger("overdraw")
class limit_of_yesterday(Faulty):
    """A charge is held against a credit limit that was lowered since: write skew past the limit."""
    def decide(self, state, kind, amount):
        result = super().decide(state, kind, amount)
        if kind == "charge" and result[1] == model.REFUSED and state[1] > 0:
            old = (state[0], state[1] + result[2], state[2])
            if self.now_if(True):
                after, outcome, short = super().decide(old, kind, amount)
                return (after[0], state[1], after[2]), outcome, short
        return result


@ledger("false-refusal")
class refused_though_funded(Faulty):
    def decide(self, state, kind, amount):
        result = super().decide(state, kind, amount)
        if self.now_if(kind == "charge" and result[1] == model.OK):
            return state, model.REFUSED, 10 ** 10
        return result


@ledger("value", "refusal", "false-refusal")
class refusal_that_takes(Faulty):
    """A refused charge moves the money all the same."""
    def append(self, operation, state, outcome):
        if self.now_if(outcome == model.REFUSED and operation["kind"] == "charge"):
            state = (state[0] - units(operation["amount"]), state[1], state[2])
        return super().append(operation, state, outcome)


@ledger("refusal")
class refusal_with_a_wrong_figure(Faulty):
    def answer(self, operation, event, outcome, short):
        if self.now_if(outcome == model.REFUSED):
            short += 10 ** 10
        return super().answer(operation, event, outcome, short)


@ledger("value")
class half_a_command(Faulty):
    """The version advances, the money does not move."""
    def append(self, operation, state, outcome):
        events = self.accounts.get(operation["account"])
        if self.now_if(events and outcome == model.OK and operation["kind"] in model.MONEY):
            state = events[-1].state
        return super().append(operation, state, outcome)


@ledger("value")
class one_unit_off(Faulty):
    """10^-12 too much, in the state and in everything that follows from it."""
    def append(self, operation, state, outcome):
        if self.now_if(operation["kind"] == "top-up" and outcome == model.OK):
            state = (state[0] + 1, state[1], state[2])
        return super().append(operation, state, outcome)


@ledger("value")
class answer_one_unit_off(Faulty):
    """The ledger is right, the acknowledgement is not."""
    def answer(self, operation, event, outcome, short):
        answer = super().answer(operation, event, outcome, short)
        if self.now_if("balance" in answer):
            answer["balance"] = decimal(units(answer["balance"]) + 1)
        return answer


@ledger("gap", "value", "list", "position-order", "position-once",
        "phantom", "log-gap")
class skipped_version(Faulty):
    def append(self, operation, state, outcome):
        events = self.accounts.get(operation["account"])
        if self.now_if(events and len(events) > 2):
            events.append(events[-1].copy(version=len(events) + 1, key=None))
        return super().append(operation, state, outcome)


@ledger("version-once", "same-event", "position-once", "key-once")
class version_used_twice(Faulty):
    """Two commands get the same version: a fork of the account."""
    def append(self, operation, state, outcome):
        events = self.accounts.get(operation["account"])
        if self.now_if(events and len(events) > 2):
            events.pop()
        return super().append(operation, state, outcome)


@ledger("position-once", "position-order", "same-event", "lost", "log-gap", "version-once")
class position_used_twice(Faulty):
    def place(self, event):
        last = self.log[-1] if self.log else None
        if self.now_if(last is not None and last.account and event.account):
            self.log.pop()
        super().place(event)


@ledger("clock")
class clock_set_back(Faulty):
    def place(self, event):
        earlier = self.accounts.get(event.account)
        super().place(event)
        if self.now_if(earlier and earlier[-1].recorded > moment(1)):
            event.recorded = moment(0)


# -- keys

@ledger("key-once")
class replay_applied_twice(Faulty):
    def replay(self, operation, request, first, answer):
        if self.now_if(request == first and answer["status"] == 201
                       and operation["kind"] in ("record", "top-up")
                       and "if_match" not in operation):
            return self.fresh(operation, request)
        return super().replay(operation, request, first, answer)


@ledger("key-once", "same-event", "key-reuse")
class key_reused_and_accepted(Faulty):
    """Another request under a known key is executed."""
    def replay(self, operation, request, first, answer):
        if self.now_if(request != first and operation["kind"] in ("record", "top-up")
                       and "if_match" not in operation):
            return self.fresh(operation, request)
        return super().replay(operation, request, first, answer)


@ledger("key-reuse", "same-event")
class key_reused_and_answered(Faulty):
    """Another request under a known key gets the first one's answer."""
    def replay(self, operation, request, first, answer):
        if self.now_if(request != first):
            return {**answer, "replayed": True}
        return super().replay(operation, request, first, answer)


@ledger("key-answer")
class replay_with_another_balance(Faulty):
    """A repeated request is answered with today's balance, not with the stored answer."""
    def replay(self, operation, request, first, answer):
        now = self.accounts[operation["account"]][-1].state[0]
        if self.now_if(request == first and answer.get("balance") not in (None, decimal(now))
                       and self.heard(operation)):
            answer = {**answer, "balance": decimal(now)}
        return super().replay(operation, request, first, answer)


@ledger("key-replayed")
class replay_not_marked(Faulty):
    def replay(self, operation, request, first, answer):
        answer = super().replay(operation, request, first, answer)
        if self.now_if(answer.get("replayed") and "batch" not in operation
                       and self.heard(operation)):
            answer["replayed"] = False
        return answer


@ledger("key-replayed")
class first_answer_marked_as_replay(Faulty):
    def fresh(self, operation, request):
        answer = super().fresh(operation, request)
        if "version" in answer and "batch" not in operation and operation["kind"] != "open" \
                and self.planted is None and self.forget(operation) and self.now_if(True):
            answer["replayed"] = True
        return answer


@ledger("key-denied")
class key_denied_to_its_owner(Faulty):
    def replay(self, operation, request, first, answer):
        if self.now_if(request == first and self.heard(operation)):
            return {"status": 422, "slug": "idempotency-key-reuse"}
        return super().replay(operation, request, first, answer)


@ledger("denied-effect", "value", "key-replayed", "key-answer")
class denied_and_done(Faulty):
    """The client is told 412, and the effect is there."""
    def fresh(self, operation, request):
        asked, events = operation.get("if_match"), self.accounts.get(operation["account"], ())
        if asked is not None and events and asked != len(events) and self.planted is None \
                and self.forget(operation) and self.now_if(True):
            current = len(events)
            super().fresh({**operation, "if_match": None}, request)
            return {"status": 412, "slug": "precondition-failed", "current": current}
        return super().fresh(operation, request)


@ledger("if-match")
class if_match_ignored(Faulty):
    def matches(self, asked, events):
        return super().matches(asked, events) or self.now_if(len(events) > 1)


@ledger("if-match")
class if_match_denied(Faulty):
    def matches(self, asked, events):
        return super().matches(asked, events) and not self.now_if(len(events) > 1)


# -- crashes

class AtCrash(Faulty):
    """Something happens to the newest events when the process dies."""
    needs_answer = False

    def last_told(self):
        """The last event, if its command was acknowledged and nothing came after it."""
        last = self.log[-1] if self.log else None
        if last is None or last.account is None or last.version < 3 \
                or (last.account, last.key) not in self.told:
            return None
        return last

    def drop(self, event):
        self.log.pop()
        self.accounts[event.account].pop()
        self.stored.pop((event.account, event.key))


@ledger("lost", "stale-read", "read-your-writes", "version-once", "same-event", "position-once",
        "key-once", "real-time", "monotonic-reads", "value")
class acknowledged_write_lost(AtCrash):
    """The newest event was acknowledged and is gone after the crash."""
    def crash(self):
        last = self.last_told()
        if self.now_if(last is not None):
            self.drop(last)


@ledger("stale-read", "monotonic-reads", "read-your-writes", "version-once", "same-event", "value",
        "position-once", "key-once", "lost", "list", "gap")
class seen_before_it_was_durable(AtCrash):
    """A read shows an event that a crash takes away: a dirty read."""
    def crash(self):
        last = self.log[-1] if self.log else None
        if self.now_if(last is not None and last.account is not None and last.version > 2
                       and (last.account, last.version) in self.shown):
            self.drop(last)


@ledger("late-effect")
class effect_after_death(AtCrash):
    """A request whose server died takes effect in the next one's life."""
    def __init__(self, rng, occasion):
        super().__init__(rng, occasion)
        self.lost, self.reads_left = None, 3

    def orphan(self, operation):
        if self.planted is None and operation["account"] in self.accounts and "key" in operation \
                and operation["kind"] in ("record", "top-up") and "if_match" not in operation \
                and self.forget(operation):
            self.lost = operation

    def learned(self, operation):
        super().learned(operation)
        if self.lost is None or operation["account"] != self.lost["account"] \
                or operation["kind"] != "balance" or "version" not in operation:
            return
        self.reads_left -= 1
        if self.reads_left < 0:
            lost, self.lost, self.planted = self.lost, None, operation
            self.write(lost)


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


@ledger("stale-read", "read-your-writes", "monotonic-reads")
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


# -- batches

@ledger("batch-order", "stale-read", "read-your-writes", "monotonic-reads")
class batch_in_another_order(Faulty):
    """The first item of a batch is held back until a later one was recorded."""
    held = None

    def write(self, operation):
        if self.held is not None:
            first, self.held = self.held, None
            answer = super().write(operation)
            if operation.get("batch") == first["batch"] and self.forget(operation):
                self.planted = operation
            late = super().write({n: v for n, v in first.items() if n != "deferred"})
            first["deferred"].clear()
            first["deferred"].update(late)
            return answer
        if self.planted is None and operation.get("item") == 0 and not self.silent \
                and operation["account"] in self.accounts and self.forget(operation):
            deferred = {"status": 404, "slug": "not-found", "current": 0}
            self.held = {**operation, "deferred": deferred}
            return deferred
        return super().write(operation)


@ledger("batch-order")
class half_a_batch(Faulty):
    """An item in the middle of an unanswered batch is lost, a later one is kept."""
    needs_answer = False
    dropped = None

    def write(self, operation):
        if self.planted is None and operation.get("item") == 1 and self.silent \
                and self.told.get((operation["account"], "opening"), self.now) \
                < operation["began"] and self.forget(operation):
            self.dropped = operation["batch"]
            return {"status": 404}
        answer = super().write(operation)
        if self.dropped is not None and operation.get("batch") == self.dropped \
                and answer["status"] == 201 and self.forget(operation):
            self.planted, self.dropped = operation, None
        return answer


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
__all__ = ["ANOMALIES", "Event", "LEDGERS", "RULES_OF", "STROKES"]
