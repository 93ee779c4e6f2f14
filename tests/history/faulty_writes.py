"""Ledgers that decide, record, acknowledge or repeat one command wrongly."""

import model
from ledger import moment
from planting import Faulty, ledger
from record import decimal, units


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
        if self.planted is None and last is not None and self.forget(vars(last)) \
                and self.now_if(True):
            self.drop(last)


@ledger("stale-read", "monotonic-reads", "read-your-writes", "version-once", "same-event", "value",
        "position-once", "key-once", "lost", "list", "gap")
class seen_before_it_was_durable(AtCrash):
    """A read shows an event that a crash takes away: a dirty read."""
    def crash(self):
        last = self.log[-1] if self.log else None
        if self.planted is None and last is not None and last.account is not None \
                and (last.account, last.version) in self.shown and last.version > 2 \
                and self.forget(vars(last)) and self.now_if(True):
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
                or operation["kind"] != "balance" or "version" not in operation \
                or {"as_of", "as_of_position"} & set(operation):
            return
        self.reads_left -= 1
        if self.reads_left < 0:
            lost, self.lost, self.planted = self.lost, None, operation
            self.write(lost)


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
