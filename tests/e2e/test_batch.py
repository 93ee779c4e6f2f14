"""POST /v1/batch: every item is the single request that it stands for."""

import json
import threading
import time
import uuid

from daybook import Client, LedgerCase, Server, money

NDJSON = "application/x-ndjson"


class BatchTest(LedgerCase):

    def item(self, account, what, body, key=None, method="POST"):
        return {"method": method, "path": self.path(account, f"/{what}"),
                "idempotency_key": key or uuid.uuid4().hex, "body": body}

    def batch(self, commands):
        response = self.ok(self.client.post("/v1/batch", {"commands": commands}, key=None))
        self.assertEqual(len(response.json["results"]), len(commands))
        return response.json["results"]

    def test_items_succeed_and_fail_on_their_own(self):
        account = self.open_account()
        results = self.batch([
            self.item(account, "top-ups", {"amount": money("10.00")}),
            self.item(account, "charges", {"amount": money("10.01")}),
            self.item(account, "charges", {"amount": money("0")}),
            self.item("absent-" + account, "charges", {"amount": money("1.00")}),
            self.item(account, "charges", {"amount": money("4.00")}),
            self.item(account, "nonsense", {}),
        ])
        self.assertEqual([item["status"] for item in results], [201, 409, 422, 404, 201, 404])
        self.assertEqual(results[4]["body"]["result"]["balance_after"], money("6.00"))
        self.assertEqual(results[1]["body"]["short_by"], money("0.01"))
        self.assert_balance(account, balance="6.00")

    def test_a_batch_has_no_query(self):
        account = self.open_account()
        commands = [self.item(account, "top-ups", {"amount": money("10.00")})]
        self.problem(self.client.post("/v1/batch?unknown=1", {"commands": commands}, key=None),
                     422, "validation")
        self.assert_balance(account, balance="0.00")

    def test_the_order_holds_per_account(self):
        account = self.open_account()
        commands = [self.item(account, "top-ups", {"amount": money("1.00")})]
        for _ in range(200):
            commands.append(self.item(account, "charges", {"amount": money("1.00")}))
            commands.append(self.item(account, "top-ups", {"amount": money("1.00")}))
        results = self.batch(commands)
        self.assertEqual({item["status"] for item in results}, {201})
        versions = [item["body"]["event"]["version"] for item in results]
        self.assertEqual(versions, list(range(2, 2 + len(commands))))
        self.assert_balance(account, balance="1.00")

    def event_id(self, result):
        return result["body"]["event"]["id"]

    def assert_recorded_in_order(self, results):
        self.assertEqual({item["status"] for item in results}, {201})
        versions = [item["body"]["event"]["version"] for item in results]
        self.assertEqual(versions, list(range(versions[0], versions[0] + len(results))))

    def test_refunds_of_one_charge_are_all_recorded_in_order(self):
        account = self.open_account()
        charge = self.event_id(self.batch([
            self.item(account, "top-ups", {"amount": money("10.00")}),
            self.item(account, "charges", {"amount": money("10.00")})])[1])
        refund = {"charge": charge, "amount": money("0.05"), "reason": "in part"}
        results = self.batch([self.item(account, "refunds", refund) for _ in range(200)]
                             + [self.item(account, "charges", {"amount": money("10.00")})])
        self.assert_recorded_in_order(results)
        self.assertEqual(results[199]["body"]["result"]["balance_after"], money("10.00"))
        self.assert_balance(account, balance="0.00")

    def test_each_of_many_top_ups_is_reversed(self):
        account = self.open_account()
        top_ups = self.batch([self.item(account, "top-ups", {"amount": money("1.00")})
                              for _ in range(200)])
        self.assert_recorded_in_order(top_ups)
        self.assert_recorded_in_order(self.batch([
            self.item(account, f"top-ups/{self.event_id(top_up)}/reverse", {})
            for top_up in top_ups]))
        self.assert_balance(account, balance="0.00")

    def test_captures_and_refunds_of_a_batch_keep_their_order(self):
        account = self.open_account()
        holds = self.batch([self.item(account, "top-ups", {"amount": money("50.00")})]
                           + [self.item(account, "holds", {"amount": money("1.00")})
                              for _ in range(50)])[1:]
        captures = self.batch([
            self.item(account, f"holds/{self.event_id(hold)}/capture", {}) for hold in holds])
        self.assert_recorded_in_order(captures)
        self.assert_balance(account, balance="0.00")
        # All is spent: the charge finds the money only after the refunds before it.
        results = self.batch([
            self.item(account, "refunds", {"charge": self.event_id(capture), "reason": "late"})
            for capture in captures] + [self.item(account, "charges", {"amount": money("50.00")})])
        self.assert_recorded_in_order(results)
        self.assert_balance(account, balance="0.00")

    def test_an_account_can_be_opened_and_used_in_one_batch(self):
        account = "b-" + uuid.uuid4().hex
        results = self.batch([
            {"method": "POST", "path": "/v1/accounts", "idempotency_key": "open",
             "body": {"id": account, "currency": "USD"}},
            self.item(account, "credit-limit", {"amount": money("5.00"), "reason": "new"},
                      method="PUT"),
            self.item(account, "charges", {"amount": money("5.00")}),
            {"method": "DELETE", "path": self.path(account, "/credit-limit?currency=USD"),
             "idempotency_key": "clear"}])
        self.assertEqual([item["status"] for item in results], [201, 200, 201, 200])
        self.assert_balance(account, balance="-5.00", credit_limit="0.00")

    def test_a_repeated_batch_changes_nothing_and_answers_the_same(self):
        account = self.open_account()
        commands = [self.item(account, "top-ups", {"amount": money("1.00")}) for _ in range(50)]
        first = self.batch(commands)
        self.assertFalse([item for item in first if "replayed" in item])
        self.assertEqual(self.batch(commands), [{**item, "replayed": True} for item in first])
        self.assert_balance(account, balance="50.00")

    def test_the_same_key_twice_in_one_batch_counts_once(self):
        account = self.open_account()
        one = self.item(account, "top-ups", {"amount": money("1.00")}, key="twice")
        other = {**one, "body": {"amount": money("2.00")}}
        results = self.batch([one, one, other])
        self.assertEqual([item["status"] for item in results], [201, 201, 422])
        self.assertEqual(results[1], {**results[0], "replayed": True})
        self.assert_balance(account, balance="1.00")

    def test_an_item_and_a_single_request_share_their_key(self):
        account = self.open_account()
        body = {"amount": money("1.00")}
        item = self.batch([self.item(account, "top-ups", body, key="shared")])[0]
        single = self.done(self.command(account, "top-ups", body, key="shared"))
        self.assertTrue(single.replayed)
        self.assertEqual(single.json, item["body"])

    def test_an_item_without_its_key_and_items_that_are_no_commands_fail_alone(self):
        account = self.open_account()
        good = self.item(account, "top-ups", {"amount": money("1.00")})
        no_key = {name: value for name, value in good.items() if name != "idempotency_key"}
        response = self.ok(self.client.post("/v1/batch", {"commands": [
            no_key,
            {"method": "POST", "path": "/v1/batch", "idempotency_key": "x",
             "body": {"commands": [good]}},
            good]}, key=None))
        statuses = [item["status"] for item in response.json["results"]]
        self.assertEqual(statuses[0], 400)
        self.assertIn(statuses[1], (404, 405, 422))
        self.assertEqual(statuses[2], 201)
        self.assert_balance(account, balance="1.00")

    def test_ndjson_for_ndjson(self):
        account = self.open_account()
        commands = [self.item(account, "top-ups", {"amount": money("1.00")}) for _ in range(20)]
        commands.append(self.item(account, "charges", {"amount": money("20.01")}))
        lines = b"".join(json.dumps(command).encode() + b"\n" for command in commands)
        response = self.ok(self.client.post("/v1/batch", raw=lines, key=None, headers={
            "Content-Type": NDJSON, "Accept": NDJSON}))
        self.assertEqual(response.header("Content-Type").split(";")[0], NDJSON)
        self.assertEqual([item["status"] for item in response.items], [201] * 20 + [409])
        self.assert_balance(account, balance="20.00")

    def test_ten_thousand_items_are_taken_and_one_more_is_refused(self):
        account = self.open_account()
        commands = [self.item(account, "charges", {"amount": money("0.01"), "enforce": "record"},
                              key=f"m{n}") for n in range(10000)]
        results = self.batch(commands)
        self.assertEqual({item["status"] for item in results}, {201})
        self.assert_balance(account, balance="-100.00")
        more = commands + [self.item(account, "charges", {"amount": money("0.01")})]
        response = self.client.post("/v1/batch", {"commands": more}, key=None)
        self.assertIn(response.status, (413, 422), repr(response))
        self.assert_balance(account, balance="-100.00")

    def test_no_commands_have_no_results(self):
        self.assertEqual(self.batch([]), [])

    def test_an_item_is_guarded_by_its_if_match(self):
        account = self.open_account()
        guarded = [{**self.item(account, "top-ups", {"amount": money("1.00")}), "if_match": tag}
                   for tag in ('"1"', '"1"', '"2"')]
        self.assertEqual([item["status"] for item in self.batch(guarded)], [201, 412, 201])
        self.assert_balance(account, balance="2.00")

    def test_path_values_of_items_are_held_to_their_grammar(self):
        results = self.batch([self.item(".a", "top-ups", {"amount": money("1.00")}),
                              self.item("absent", "top-ups", {"amount": money("1.00")})])
        self.assertEqual([item["status"] for item in results], [422, 404])
        self.assertEqual(results[0]["body"]["errors"][0]["parameter"], "account")

    def test_a_batch_that_is_no_batch_is_refused_as_a_whole(self):
        for body, pointer in (({}, "/commands"), ({"commands": {}}, "/commands"),
                              ({"commands": [], "x": 1}, "/x"),
                              ({"a/b~": 1}, "/a~1b~0")):
            with self.subTest(body=body):
                self.problem(self.client.post("/v1/batch", body, key=None), 422, "validation",
                             pointer)
        self.problem(self.client.post("/v1/batch", raw=b'{"commands":[', key=None),
                     400, "malformed-json")

    def test_a_batch_over_several_accounts_at_once_from_several_clients(self):
        accounts = [self.open_account() for _ in range(4)]

        def call():
            return self.batch([self.item(account, "top-ups", {"amount": money("0.01")})
                               for account in accounts for _ in range(25)])

        for results in self.at_once([call] * 6):
            self.assertEqual({item["status"] for item in results}, {201})
        for account in accounts:
            self.assert_balance(account, balance="1.50")
            versions = [event["version"] for event in self.events(account)]
            self.assertEqual(versions, list(range(1, 152)))


class BesideBatchesTest(LedgerCase):
    ALONE = True

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.kill)
        self.server.start()
        self.client = self.server.client()
        self.account = self.open_account()

    def private_tags(self, name, count):
        return {"commands": [
            {"method": "PUT", "path": self.path(self.account, f"/tags/t{number % 900}"),
             "idempotency_key": f"{name}-{number}",
             "body": {"value": "v", "extra": f"Jane {number}"}} for number in range(count)]}

    def send(self, body):
        """Not held to the contract: that takes longer than the test."""
        client = Client(self.server.port, self.server.admin_key, check=False)
        try:
            return client.post("/v1/batch", body, key=None)
        finally:
            client.close()

    def test_reads_and_single_commands_go_on_beside_batches_with_private_values(self):
        bodies = [self.private_tags(name, 3000) for name in "abcd"]
        done = threading.Event()
        slowest, turns = 0.0, 0

        def send_all():
            try:
                return self.at_once([lambda body=body: self.send(body) for body in bodies])
            finally:
                done.set()

        answers = []
        sender = threading.Thread(target=lambda: answers.extend(send_all()))
        sender.start()
        while not done.is_set():
            began = time.monotonic()
            self.ok(self.client.get(self.path(self.account, "/balance")))
            self.done(self.charge(self.account, "0.01", enforce="record"))
            slowest, turns = max(slowest, time.monotonic() - began), turns + 1
        sender.join()
        print(f"beside batches: {turns} turns, {slowest:.3f} s at most", flush=True)
        for answer in answers:
            self.assertEqual(answer.status, 200, repr(answer))
            self.assertEqual({item["status"] for item in answer.json["results"]}, {200})
        self.assertLess(slowest, 2)

    def test_batches_beyond_their_queue_are_refused_as_a_whole(self):
        self.client.close()
        self.server.stop()
        self.server.extra = ["--batch-queue-max", "1"]
        self.server.start()
        self.client = self.server.client()
        bodies = [self.private_tags(f"q{number}", 2000) for number in range(8)]
        answers = self.at_once([lambda body=body: self.send(body) for body in bodies])
        statuses = [answer.status for answer in answers]
        self.assertEqual(set(statuses), {200, 503}, statuses)
        for answer in answers:
            if answer.status == 503:
                self.assertEqual(answer.slug, "overloaded")
                self.assertEqual(answer.header("Retry-After"), "1")
        self.assertEqual(self.version(self.account) - 1, 2000 * statuses.count(200))
