"""Histories recorded from the real server (tests/history): readers beside writers over kills, money
in flight between accounts, and the proof that a wrong history would have been noticed.
"""

import argparse
import collections
import os
import random
import threading
import time
from decimal import Decimal

from daybook import money
from load import LoadCase, check, record

import anomalies
import campaign
from client import RecordedClient

OPERATIONS = int(os.environ.get("DAYBOOK_HISTORY_OPERATIONS", "10000"))
SEED = int(os.environ.get("DAYBOOK_HISTORY_SEED", "0")) \
    or random.SystemRandom().randrange(1, 2 ** 32)
TRANSFER_MAX = 5


class HistoryTest(LoadCase):
    seed = SEED

    def test_a_short_campaign_over_kills_finds_nothing(self):
        self.server.kill()  # a campaign has its own
        options = argparse.Namespace(operations=OPERATIONS, seconds=120, clients=6, kills=0.3,
                                     seed=SEED, keep=os.path.join(self.server.data, "kept"))
        run = campaign.Campaign(options)
        self.assertEqual(run.run(), 0)
        for kind in ("charge", "balance", "balance of the past", "events", "transactions",
                     "statement", "account", "log"):
            self.assertGreater(run.kinds[kind], 0, run.kinds)
        self.assertGreater(run.totals["kills"], 0)
        self.assertGreater(run.totals["replayed"], 0)

    # -- a rig that finds nothing must be able to find something

    def work(self, client, seed, accounts, count):
        rng = random.Random(seed)
        positions = []
        for _ in range(count):
            path = self.path(rng.choice(accounts))
            amount = money(f"{rng.randrange(1, 30)}.{rng.randrange(100):02d}")
            if rng.randrange(2):
                what, body = rng.choice((("top-ups", {}), ("charges", {"enforce": "record"})))
                answer = client.post(f"{path}/{what}", {"amount": amount, **body})
                positions.append(answer.position)
            else:
                past = f"?as_of_position={rng.choice(positions)}" if positions else ""
                client.get(f"{path}/balance{past if rng.randrange(4) == 0 else ''}")
        client.close()

    def recorded(self, make_client=None, threads=4, count=60):
        self.record_history()
        accounts = [self.open_account() for _ in range(2)]
        clients = [make_client() if make_client else self.new_client() for _ in range(threads)]
        self.at_once([lambda c=c, n=n: self.work(c, n, accounts, count)
                      for n, c in enumerate(clients)])
        self.read_log()
        self.history.close()
        return record.read(self.history.path)

    def test_a_recorded_history_that_was_bent_is_flagged(self):
        operations = self.recorded()
        self.assertEqual(check.check(operations).violations, [])
        rng = random.Random(SEED)
        for name, bend in anomalies.STROKES.items():
            bent = [dict(operation) for operation in operations]
            if not bend(rng, bent):
                self.assertEqual(name, "unknown_answered_two_ways")  # nobody repeated anything
                continue
            self.assertTrue({v.rule for v in check.check(bent).violations}
                            & anomalies.RULES_OF[name], name)

    def test_an_acknowledgement_that_the_log_does_not_have_is_flagged(self):
        operations = self.recorded()
        page = next(o for o in operations if o["kind"] == "log" and len(o["rows"]) > 20)
        page["rows"] = page["rows"][:-5]
        self.assertIn("stale-read", {v.rule for v in check.check(operations).violations})

    def test_a_cache_in_front_of_the_server_is_flagged(self):
        cache = {}

        class Cached(RecordedClient):
            """Answers a balance from memory for 20 ms, as a careless proxy would."""

            def _exchange(self, method, target, body, headers):
                known = cache.get(target)
                if method == "GET" and known and time.monotonic() - known[0] < 0.02:
                    return known[1]
                response = super()._exchange(method, target, body, headers)
                if method == "GET" and target.endswith("/balance"):
                    cache[target] = (time.monotonic(), response)
                return response

        numbers = iter(range(100))
        operations = self.recorded(lambda: Cached(
            self.server.port, self.server.admin_key, self.history, f"cached{next(numbers)}"))
        rules = collections.Counter(v.rule for v in check.check(operations).violations)
        self.assertTrue({"stale-read", "read-your-writes"} & set(rules), rules)

    def test_a_write_that_no_recorded_client_sent_is_flagged(self):
        self.record_history()
        account = self.open_account()
        for stranger in (self.new_client(), self.server.client()):
            for _ in range(2):
                body = {"amount": money("5.00")}
                self.assertEqual(stranger.post(self.path(account, "/top-ups"), body).status, 201)
                self.balance(account)
            stranger.close()
        self.history.close()
        operations = record.read(self.history.path)
        self.assertEqual([v.rule for v in check.check(operations).violations], ["gap"])
        self.assertEqual(check.check(operations[:5]).violations, [])  # before the stranger


class BankTest(LoadCase):
    """Money that clients move between accounts, each move a strict charge and then a top-up.

    The API has no command over two accounts, so money is in flight between the two. At every cut
    of the log the accounts hold all of it but what can be in flight, one move per client; none is
    below zero, and once every client has carried its moves to their end, all of it is there.
    """

    seed = SEED
    clients, accounts, moves, kills = 6, 8, 30, 2
    limit_seconds = 120

    def until_known(self, port_of, post):
        """Repeats a request over kills until it has an answer."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            client = self.history.client(port_of(), self.key)
            try:
                answer = post(client)
                if answer.status < 500:
                    return answer
            except OSError:
                time.sleep(0.005)
            finally:
                client.close()
        raise AssertionError("no answer within 60 s")

    def move(self, seed, names, failures):
        rng = random.Random(f"{SEED} {seed}")
        try:
            for number in range(self.moves):
                source, target = rng.sample(names, 2)
                amount = f"{rng.randrange(TRANSFER_MAX)}.{rng.randrange(1, 100):02d}"
                body = {"amount": money(amount)}
                key = f"move-{seed}-{number}"
                taken = self.until_known(lambda: self.server.port or 1, lambda c: c.post(
                    self.path(source, "/charges"), body, key=key))
                if taken.status == 201:
                    given = self.until_known(lambda: self.server.port or 1, lambda c: c.post(
                        self.path(target, "/top-ups"), body, key=key))
                    if given.status != 201:
                        failures.append(repr(given))
        except AssertionError as error:
            failures.append(repr(error))

    def look(self, names, stop, sums):
        """Sums over all accounts at one position, as often as there is time."""
        while not stop.is_set():
            try:
                client = self.history.client(self.server.port or 1, self.key)
                position = client.get(self.path(names[0], "/balance")).position
                rows = [client.get(self.path(name, f"/balance?as_of_position={position}"))
                        for name in names]
                if all(row.status == 200 for row in rows):
                    sums.append([Decimal(row.json["balances"][0]["balance"]) for row in rows])
                client.close()
            except OSError:
                time.sleep(0.005)

    def assert_sums(self, balances, total):
        self.assertTrue(all(balance >= 0 for balance in balances), balances)
        self.assertLessEqual(sum(balances), total)
        self.assertGreaterEqual(sum(balances), total - self.clients * TRANSFER_MAX)

    def test_no_money_is_made_or_lost_at_any_cut(self):
        self.record_history()
        self.key = self.server.admin_key
        names = [self.open_account() for _ in range(self.accounts)]
        for name in names:
            self.top_up(name, "10.00")
        total, sums, failures, stop = Decimal(10 * self.accounts), [], [], threading.Event()
        movers = [threading.Thread(target=self.move, args=(n, names, failures), daemon=True)
                  for n in range(self.clients)]
        readers = [threading.Thread(target=self.look, args=(names, stop, sums), daemon=True)
                   for _ in range(2)]
        for thread in movers + readers:
            thread.start()
        for _ in range(self.kills):
            time.sleep(self.random.uniform(0.1, 0.4))
            self.server.kill()
            self.history.died()
            self.server.start()
        for thread in movers:
            thread.join(timeout=90)
        stop.set()
        for thread in readers:
            thread.join(timeout=30)
        self.assertEqual(failures, [])
        self.assertFalse(any(thread.is_alive() for thread in movers + readers))
        self.client = self.new_client()
        self.assertGreater(len(sums), 5)
        for balances in sums:
            self.assert_sums(balances, total)
        balances, cuts = dict.fromkeys(names, Decimal(0)), 0
        for row in self.read_log():
            after = row["data"].get("balance_after")
            if row.get("account") in balances and after is not None:
                balances[row["account"]] = Decimal(after["amount"])
                if row["version"] > 2:  # all accounts have their first money
                    cuts += 1
                    self.assert_sums(balances.values(), total)
        self.assertEqual(sum(balances.values()), total)
        report = self.check_history()
        print(f"bank test: {len(sums)} readings and {cuts} cuts, {report.operations} operations, "
              f"{self.kills} kills, DAYBOOK_HISTORY_SEED={SEED}", flush=True)
