"""Idempotency keys: one effect and the stored answer, whatever happens on the way."""

import json
import uuid

from daybook import LedgerCase, Server, money, new_id


class IdempotencyTest(LedgerCase):

    def assert_replay(self, first, again):
        self.assertEqual(again.status, first.status, repr(again))
        self.assertEqual(again.body, first.body)
        self.assertFalse(first.replayed)
        self.assertTrue(again.replayed, repr(again))

    def test_a_replay_is_byte_identical_and_marked(self):
        account = self.open_account()
        body = {"amount": money("10.00"), "description": "card"}
        first = self.command(account, "top-ups", body, key="k1")
        again = self.command(account, "top-ups", body, key="k1")
        self.assert_replay(first, again)
        self.assertEqual(again.position, first.position)
        self.assertEqual(again.header("ETag"), first.header("ETag"))
        self.assert_balance(account, balance="10.00")

    def test_spaces_and_the_order_of_members_are_not_another_request(self):
        account = self.open_account()
        target = self.path(account, "/top-ups")
        first = self.client.post(target, key="k", raw=(
            b'{"amount":{"amount":"10.00","currency":"USD"},"description":"a"}'))
        again = self.client.post(target, key="k", raw=(
            b'{ "description" : "\\u0061",\n "amount": {"currency":"USD", "amount":"10.00"} }'))
        self.assert_replay(self.done(first), again)

    def test_a_key_with_another_request_is_422(self):
        account = self.open_account()
        first = self.command(account, "top-ups", {"amount": money("10.00")}, key="k")
        self.done(first)
        self.problem(self.command(account, "top-ups", {"amount": money("10.01")}, key="k"),
                     422, "idempotency-key-reuse")
        self.problem(self.command(account, "charges", {"amount": money("10.00")}, key="k"),
                     422, "idempotency-key-reuse")
        self.problem(self.client.put(self.path(account, "/tags/a"), {"value": "b"}, key="k"),
                     422, "idempotency-key-reuse")
        self.assert_replay(first, self.command(account, "top-ups", {"amount": money("10.00")},
                                               key="k"))
        self.assert_balance(account, balance="10.00")

    def test_an_escaped_byte_of_the_path_is_not_another_request(self):
        account = self.open_account(account=":" + new_id())
        body = {"amount": money("1.00")}
        first = self.done(self.client.post(f"/v1/accounts/{account}/top-ups", body, key="k"))
        escaped = account.replace(":", "%3A")
        again = self.done(self.client.post(f"/v1/accounts/{escaped}/top-ups", body, key="k"))
        self.assertTrue(again.replayed)
        self.assertEqual(again.body, first.body)
        batch = {"commands": [{"method": "POST", "path": f"/v1/accounts/{escaped}/top-ups",
                               "idempotency_key": "k", "body": body}]}
        item = self.ok(self.client.post("/v1/batch", batch, key=None)).json["results"][0]
        self.assertEqual(item["body"], first.json)

    def test_a_key_counts_per_account(self):
        first, second = self.open_account(), self.open_account()
        for account in (first, second):
            answer = self.done(self.command(account, "top-ups", {"amount": money("10.00")},
                                            key="same"))
            self.assertFalse(answer.replayed)
        self.assert_balance(second, balance="10.00")

    def test_the_key_of_the_opening_belongs_to_the_account(self):
        key = uuid.uuid4().hex
        body = {"id": "a" + key, "currency": "USD"}
        first = self.done(self.client.post("/v1/accounts", body, key=key))
        self.assert_replay(first, self.client.post("/v1/accounts", body, key=key))
        self.problem(self.command("a" + key, "top-ups", {"amount": money("1.00")}, key=key),
                     422, "idempotency-key-reuse")

    def test_concurrent_duplicates_have_one_effect_and_one_answer(self):
        account = self.open_account()
        for step in range(5):
            answers = self.at_once([lambda: self.command(
                account, "top-ups", {"amount": money("10.00")}, key=f"c{step}")] * 10)
            for answer in answers:
                self.done(answer)
            self.assertEqual(len({answer.body for answer in answers}), 1)
            self.assertEqual(sum(not answer.replayed for answer in answers), 1)
        self.assert_balance(account, balance="50.00")

    def test_concurrent_requests_with_one_key_and_other_bodies_have_one_effect(self):
        account = self.open_account()
        answers = self.at_once([lambda n=n: self.command(
            account, "top-ups", {"amount": money(f"{n}.00")}, key="x") for n in range(1, 9)])
        self.assertEqual(sorted(answer.status for answer in answers), [201] + [422] * 7)
        winner = next(answer for answer in answers if answer.status == 201)
        self.assert_balance(account, balance=winner.result["amount"]["amount"])

    def test_a_refusal_is_stored_and_replayed_even_when_it_would_pass_now(self):
        account = self.open_account()
        body = {"amount": money("5.00")}
        first = self.problem(self.command(account, "charges", body, key="k"),
                             409, "insufficient-funds")
        refused = self.events(account, "ChargeRefused")
        self.assertEqual(first.json["request_id"], refused[0]["id"])
        self.assertEqual(refused[0]["idempotency_key"], "k")
        self.top_up(account, "100.00")
        self.assert_replay(first, self.command(account, "charges", body, key="k"))
        self.problem(self.command(account, "charges", {"amount": money("1.00")}, key="k"),
                     422, "idempotency-key-reuse")
        self.assert_balance(account, balance="100.00")
        self.assertEqual(len(self.events(account, "ChargeRefused")), 1)

    def test_other_refusals_are_events_too(self):
        account = self.open_account()
        self.top_up(account, "1.00")
        first = self.problem(self.command(account, "close", key="k"), 409, "balance-not-zero")
        refused = self.events(account, "CommandRefused")
        self.assertEqual([event["id"] for event in refused], [first.json["request_id"]])
        self.assertEqual(refused[0]["data"]["reason"], "balance-not-zero")
        self.done(self.command(account, "payouts", {"amount": money("1.00")}))
        self.assert_replay(first, self.command(account, "close", key="k"))

    def test_a_key_is_not_consumed_by_400_404_412_and_422(self):
        account = self.open_account()
        good = {"amount": money("1.00")}
        self.problem(self.command(account, "top-ups", {"amount": money("-1.00")}, key="k"),
                     422, "validation")
        self.problem(self.client.post(self.path(account, "/top-ups"), key="k", raw=b"{"),
                     400, "malformed-json")
        self.problem(self.command(account, "top-ups", good, key="k",
                                  headers={"If-Match": '"99"'}), 412, "precondition-failed")
        absent = account + "-later"
        self.problem(self.command(absent, "top-ups", good, key="k"), 404, "not-found")
        answer = self.done(self.command(account, "top-ups", good, key="k"))
        self.assertFalse(answer.replayed)
        self.open_account(account=absent)
        self.assertFalse(self.done(self.command(absent, "top-ups", good, key="k")).replayed)
        self.assert_balance(account, balance="1.00")

    def test_a_key_is_not_consumed_by_401_403_and_429(self):
        server = Server()
        server.extra = ["--refusals-burst", "1", "--refusals-per-second", "1"]
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        admin = server.start().client()
        secret = self.done(admin.post("/v1/keys", {"roles": ["auditor"]})).result["secret"]
        clients = {401: admin.with_key(""), 403: admin.with_key(secret), 201: admin}
        for client in clients.values():
            self.addCleanup(client.close)
        self.done(admin.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        for status, client in clients.items():
            answer = client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}, key="k")
            self.assertEqual((answer.status, answer.replayed), (status, False), repr(answer))
        body = {"amount": money("5.00")}
        limited = None
        for n in range(20):
            limited = admin.post("/v1/accounts/acme/charges", body, key=f"r{n}")
            if limited.status == 429:
                break
        self.problem(limited, 429, "rate-limited")
        self.assertGreaterEqual(int(limited.header("Retry-After")), 1)
        self.done(admin.post("/v1/accounts/acme/top-ups", {"amount": money("9.00")}))
        answer = self.done(admin.post("/v1/accounts/acme/charges", body, key=f"r{n}"))
        self.assertFalse(answer.replayed)

    def test_dedup_comes_before_if_match(self):
        account = self.open_account()
        body = {"amount": money("1.00")}
        first = self.done(self.command(account, "top-ups", body, key="k",
                                       headers={"If-Match": '"1"'}))
        again = self.command(account, "top-ups", body, key="k", headers={"If-Match": '"1"'})
        self.assert_replay(first, again)

    def test_a_keyed_no_op_writes_NoChange_and_an_unkeyed_one_writes_nothing(self):
        account = self.open_account()
        self.set_limit(account, "10.00")
        version = self.version(account)
        body = {"amount": money("10"), "reason": "agreed with the customer"}
        target = self.path(account, "/credit-limit")
        nothing = self.ok(self.client.put(target, body))
        self.assertIsNone(nothing.event)
        self.assertIsNone(nothing.result)
        self.assertTrue(nothing.json["position"])
        self.assertEqual(self.version(account), version)
        keyed = self.ok(self.client.put(target, body, key="n"))
        self.assertEqual(keyed.event["type"], "NoChange")
        self.assertEqual(keyed.event["version"], version + 1)
        self.assertEqual(keyed.result, {})
        self.assert_replay(keyed, self.client.put(target, body, key="n"))
        self.done(self.command(account, "freeze"))
        second = self.done(self.command(account, "freeze"))
        self.assertEqual(second.event["type"], "NoChange")
        self.assertEqual(len(self.events(account, "AccountFrozen")), 1)

    def test_a_provider_payment_counts_once_under_new_keys(self):
        account = self.open_account()
        body = {"amount": money("25.00"), "provider": "stripe", "provider_payment_id": account}
        first = self.done(self.command(account, "top-ups", body, key="p1"))
        again = self.command(account, "top-ups", body, key="p2")
        self.assert_replay(first, again)
        self.assert_replay(first, self.command(account, "top-ups", body, key="p2"))
        notes = self.events(account, "NoChange")
        self.assertEqual([(note["data"]["of"], note["idempotency_key"]) for note in notes],
                         [(first.event["id"], "p2")])
        self.assert_balance(account, balance="25.00")
        other_provider = {**body, "provider": "paypal"}
        self.assertFalse(self.done(self.command(account, "top-ups", other_provider)).replayed)
        self.assert_balance(account, balance="50.00")

    def test_a_provider_payment_on_another_account_or_amount_is_409(self):
        account, other = self.open_account(), self.open_account()
        body = {"amount": money("25.00"), "provider": "stripe", "provider_payment_id": account}
        self.done(self.command(account, "top-ups", body))
        self.problem(self.command(other, "top-ups", body), 409, "payment-conflict")
        self.problem(self.command(account, "top-ups", {**body, "amount": money("25.01")}),
                     409, "payment-conflict")
        self.problem(self.command(account, "top-ups", {**body, "amount": money("25.00", "EUR")}),
                     409, "payment-conflict")
        self.assert_balance(account, balance="25.00")
        self.assert_balance(other, balance="0.00")

    def test_one_payment_claimed_by_two_accounts_at_once_counts_on_one(self):
        accounts = [self.open_account() for _ in range(6)]
        payment = {"amount": money("5.00"), "provider": "stripe",
                   "provider_payment_id": "race-" + accounts[0]}
        answers = self.at_once([lambda a=a: self.command(a, "top-ups", payment)
                                for a in accounts])
        self.assertEqual(sorted(answer.status for answer in answers), [201] + [409] * 5)
        total = [self.balance(account)["balance"] for account in accounts]
        self.assertEqual(sorted(total), ["0.00"] * 5 + ["5.00"])

    def test_a_replay_omits_the_secret(self):
        key = uuid.uuid4().hex
        body = {"name": "robot", "roles": ["auditor"]}
        first = self.done(self.client.post("/v1/keys", body, key=key))
        self.assertTrue(first.result["secret"])
        again = self.done(self.client.post("/v1/keys", body, key=key))
        self.assertTrue(again.replayed)
        self.assertNotIn(first.result["secret"].encode(), again.body)
        wanted = json.loads(first.body)
        del wanted["result"]["secret"]
        self.assertEqual(again.json, wanted)
