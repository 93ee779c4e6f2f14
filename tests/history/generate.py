"""Histories of clients at work on a ledger in memory, in virtual time, one for each seed.

Clients overlap, lose requests and answers, retry under their keys, send what others sent, reuse
keys, send batches; the server dies now and then. What `run` returns is what the recorder of a real
run would have written.
"""

import heapq

from ledger import Ledger, handle
from record import WRITES, bounded_by_deaths


class Run:
    def __init__(self, rng, ledger=None, clients=4, accounts=2, steps=25, crashes=2, log=True):
        self.rng = rng
        self.ledger = ledger or Ledger(rng)
        self.ledger.forget = self.forget
        self.accounts = [f"a{n}" for n in range(accounts)]
        self.clients, self.steps, self.log = clients, steps, log
        self.now, self.count, self.epoch = 0, 0, 0
        self.queue, self.operations = [], []
        self.sent = []       # requests of the past, for those who send them again
        self.answered = []   # answers of the past, for reads that name a position or time
        self.holds = []
        self.crash_times = sorted(rng.randrange(steps * 60) for _ in range(crashes))

    def run(self):
        """The operations, in the order of their ends."""
        for name in self.accounts:
            self.start(self.one("main", self.request(name, "open", "opening")))
        for at in self.crash_times:
            self.start(self.die(at))
        for number in range(self.clients):
            self.start(self.client(f"c{number}"))
        while self.queue:
            self.now, _, process = heapq.heappop(self.queue)
            self.ledger.now = self.now
            self.start(process)
        for _ in range(2 if self.log else 0):
            self.read_log()
        return bounded_by_deaths(self.operations)

    def start(self, process):
        """Runs a process up to its next wait."""
        wait = next(process, None)
        if wait is not None:
            self.count += 1
            heapq.heappush(self.queue, (self.now + wait, self.count, process))

    def die(self, at):
        yield at
        self.epoch += 1
        self.ledger.crash()
        self.operations.append({"kind": "died", "began": self.now})
        self.now += 1

    # -- what clients do

    def client(self, name):
        yield self.rng.randrange(40)
        for _ in range(self.steps):
            if self.rng.randrange(8) == 0:
                yield from self.batch(name)
            else:
                yield from self.one(name, self.choose())
            yield self.rng.randrange(30)

    def request(self, account, kind, key=None, **more):
        self.count += 1
        if kind in WRITES:
            more["key"] = key or f"k{self.count}"
        return {"account": account, "kind": kind, **more}

    def choose(self):
        rng = self.rng
        account = rng.choice(self.accounts)
        dice = rng.randrange(100)
        if dice < 45:
            return self.choose_read(account)
        if dice < 53 and self.sent:
            return dict(rng.choice(self.sent[-12:]))
        if dice < 56 and self.sent:
            request = dict(rng.choice(self.sent))
            if "amount" in request:
                request["amount"] = self.money()
            return request
        return self.choose_write(account)

    def choose_write(self, account):
        rng = self.rng
        kind = rng.choice(("charge", "charge", "charge", "record", "top-up", "top-up", "adjust",
                           "limit", "hold", "release"))
        if kind == "release":
            mine = [h for h in self.holds if h["account"] == account]
            if mine:
                held = rng.choice(mine)
                self.holds.remove(held)
                return self.request(account, kind, amount=held["amount"], hold=held["event"])
            kind = "top-up"
        amount = self.money()
        if kind == "adjust" and rng.randrange(2):
            amount = "-" + amount
        request = self.request(account, kind, amount=amount)
        if rng.randrange(6) == 0:
            now = len(self.ledger.accounts.get(account, []))
            request["if_match"] = max(1, now - rng.randrange(2))
        return request

    def choose_read(self, account):
        rng = self.rng
        kind = rng.choice(("balance", "balance", "balance", "account", "events", "transactions",
                           "statement"))
        more = {}
        past = [a for a in self.answered if a["account"] == account and "version" in a]
        if kind in ("balance", "account") and past:
            chosen = rng.choice(past)
            way = rng.randrange(6)
            if way == 0:
                more["as_of_position"] = past[len(past) // 8 * 7]["position"]
            elif way == 1:
                more["as_of_position"] = chosen["position"]
            elif way == 2 and "recorded" in chosen:
                more["as_of"] = chosen["recorded"]
            elif way == 3:
                more["min_position"] = chosen["position"]
        if kind in ("events", "transactions", "statement"):
            more["limit"] = rng.choice((3, 1000))
        if kind == "events" and past and rng.randrange(2):
            more["after"] = rng.choice(past)["position"]
        if kind == "statement":
            dated = [a["recorded"] for a in past if "recorded" in a]
            more["since"] = rng.choice(dated) if dated and rng.randrange(2) else "2000"
        return self.request(account, kind, **more)

    def money(self):
        return f"{self.rng.randrange(1, 40)}.{self.rng.randrange(1, 100):02d}"

    # -- one request

    def one(self, client, request):
        operation = {"client": client, **request, "began": self.now}
        if operation["kind"] in WRITES:
            self.sent.append(request)
        epoch = self.epoch
        fate = self.rng.randrange(20)
        yield self.rng.randrange(1, 30)
        if fate == 0 or epoch != self.epoch:       # the request is lost
            self.keep(operation)
            if epoch != self.epoch:
                self.ledger.orphan(operation)
            return
        if fate == 1:                              # the answer is lost
            self.keep(operation)
            if self.rng.randrange(2):
                self.start(self.late(operation, epoch))
            else:
                handle(self.ledger, operation)
            return
        answer = handle(self.ledger, operation)
        yield self.rng.randrange(1, 30)
        if epoch != self.epoch:
            self.keep(operation)
            return
        self.keep(operation, answer)

    def forget(self, operation):
        """Sees to it that a request is not sent again; False if it was already."""
        same = [r for r in self.sent if r["key"] == operation.get("key")
                and r["account"] == operation["account"]]
        if len(same) == 1:
            self.sent.remove(same[0])
        return len(same) == 1

    def late(self, operation, epoch):
        """A request that nobody waits for any more still arrives."""
        yield self.rng.randrange(200)
        if epoch == self.epoch:
            handle(self.ledger, operation)

    def batch(self, client):
        account = self.rng.choice(self.accounts)
        self.count += 1
        name, items = f"b{self.count}", []
        for number in range(self.rng.randrange(2, 6)):
            request = self.choose_write(account)
            request.pop("if_match", None)
            self.sent.append(request)
            items.append({"client": client, **request, "began": self.now, "batch": name,
                          "item": number})
        epoch, answers = self.epoch, []
        heard = self.rng.randrange(10) > 0
        for item in items:
            yield self.rng.randrange(1, 10)
            if epoch != self.epoch:
                break
            self.ledger.silent = not heard
            answers.append(handle(self.ledger, item))
        yield self.rng.randrange(1, 20)
        known = heard and epoch == self.epoch
        for number, item in enumerate(items):
            if known:
                for member in ("replayed", *(("version", "position", "event")
                                             if answers[number]["status"] == 409 else ())):
                    answers[number].pop(member, None)
            self.keep(item, answers[number] if known else None)

    def keep(self, operation, answer=None):
        self.count += 1
        operation["id"] = self.count
        if answer is not None:
            operation.update(answer)
            operation["ended"] = self.now
            if operation["kind"] in WRITES:
                self.answered.append(operation)
                if operation["kind"] == "hold" and operation["status"] == 201 \
                        and not operation.get("replayed") \
                        and all(h["event"] != operation["event"] for h in self.holds):
                    self.holds.append(operation)
            self.ledger.learned(operation)
        self.operations.append(operation)

    def read_log(self):
        after = None
        while True:
            self.now += 10
            operation = self.request(None, "log", limit=50, client="main", began=self.now)
            if after is not None:
                operation["after"] = after
            answer = self.ledger.read(operation)
            self.now += 1
            self.keep(operation, answer)
            if len(answer["rows"]) < 50:
                return
            after = answer["rows"][-1]["position"]
