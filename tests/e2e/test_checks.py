"""The numeric checks of the seed systems, through HTTP, with their exact numbers."""

import datetime
from decimal import Decimal

from daybook import LedgerCase, money


def next_microsecond(time):
    moment = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
    moment += datetime.timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ChecksTest(LedgerCase):

    def test_B_1_minimum_top_up_and_the_callback_counts_once(self):
        self.ok(self.client.put("/v1/catalogue/currencies/RUB", {"minimum_top_up": "1.00"}))
        account = self.open_account("RUB")
        before = self.events(account)
        small = self.command(account, "top-ups", {"amount": money("0.99", "RUB")})
        self.problem(small, 422, "validation", "/amount/amount")
        self.assertEqual(self.events(account), before)
        payment = {"provider": "yookassa", "provider_payment_id": "22e12f66-000f-5000-8000-b1"}
        first = self.top_up(account, "1.00", "RUB", **payment)
        self.assertFalse(first.replayed)
        self.assertEqual(self.balance(account)["balance"], "1.00")
        for _ in range(3):
            again = self.top_up(account, "1.00", "RUB", **payment)
            self.assertTrue(again.replayed, repr(again))
            self.assertEqual(again.body, first.body)
        self.assertEqual(self.balance(account)["balance"], "1.00")
        self.assertEqual(len(self.events(account, "BalanceToppedUp")), 1)

    def draw_down_and_restore(self):
        """The steps of B-2; the account and the answer of the opening top-up."""
        account = self.open_account("RUB")
        self.set_limit(account, "500.00", "RUB")
        opening = self.top_up(account, "100.00", "RUB")
        first = self.done(self.charge(account, "350.00", "RUB", description="tariff Pro"))
        self.assertEqual(first.result["amount"], money("350.00", "RUB"))
        self.assertEqual(first.result["from_balance"], money("100.00", "RUB"))
        self.assertEqual(first.result["from_credit"], money("250.00", "RUB"))
        self.assertEqual(first.result["balance_after"], money("-250.00", "RUB"))
        self.assertEqual(first.result["available_after"], money("250.00", "RUB"))
        self.assert_balance(account, balance="-250.00", shown_balance="0.00", credit_used="250.00",
                            available="250.00", credit_limit="500.00",
                            credit_limit_source="account", held="0.00", unbilled="0.00",
                            receivable="0.00")
        refused = self.charge(account, "250.01", "RUB", description="too much")
        self.problem(refused, 409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("0.01", "RUB"))
        self.assert_balance(account, balance="-250.00", available="250.00")
        second = self.done(self.charge(account, "250.00", "RUB", description="tariff Basic"))
        self.assertEqual(second.result["from_balance"], money("0.00", "RUB"))
        self.assertEqual(second.result["from_credit"], money("250.00", "RUB"))
        self.assert_balance(account, available="0.00", credit_used="500.00")
        third = self.top_up(account, "200.00", "RUB", description="card")
        self.assertEqual(third.result["credit_restored"], money("200.00", "RUB"))
        self.assert_balance(account, credit_used="300.00", shown_balance="0.00",
                            available="200.00")
        self.top_up(account, "400.00", "RUB", description="card")
        self.assert_balance(account, credit_used="0.00", balance="100.00", available="600.00")
        return account, opening

    def test_B_2_balance_first_then_credit_and_a_top_up_restores(self):
        self.draw_down_and_restore()

    def test_B_3_a_lowered_limit_takes_nothing_back_and_blocks_new_use(self):
        account = self.open_account("RUB")
        self.set_limit(account, "500.00", "RUB")
        self.done(self.charge(account, "250.00", "RUB"))
        lowered = self.set_limit(account, "100.00", "RUB")
        self.assertEqual(lowered.event["type"], "CreditLimitSet")
        self.assertEqual(lowered.result["amount"], money("100.00", "RUB"))
        self.assertEqual(lowered.result["previous"], money("500.00", "RUB"))
        self.assert_balance(account, available="0.00", credit_used="250.00", balance="-250.00")
        refused = self.problem(self.charge(account, "0.01", "RUB"), 409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("150.01", "RUB"))
        self.top_up(account, "200.00", "RUB")
        self.assert_balance(account, available="50.00", balance="-50.00")

    def test_B_8_history_has_the_money_rows_and_the_log_has_the_refusal(self):
        account, opening = self.draw_down_and_restore()
        rows = self.transactions(account)
        self.assertEqual([row["amount"]["amount"] for row in rows],
                         ["400.00", "200.00", "-250.00", "-350.00", "100.00"])
        self.assertEqual([row["balance_after"]["amount"] for row in rows],
                         ["100.00", "-300.00", "-500.00", "-250.00", "100.00"])
        self.assertEqual([row.get("description") for row in rows[:4]],
                         ["card", "card", "tariff Basic", "tariff Pro"])
        versions = [row["version"] for row in rows]
        self.assertEqual(versions, sorted(versions, reverse=True))
        start = next_microsecond(opening.event["effective_at"])
        statement = self.ok(self.client.get(
            self.path(account, f"/statement?currency=RUB&from={start}"))).json
        self.assertEqual(statement["opening"], money("100.00", "RUB"))
        self.assertEqual([line["amount"]["amount"] for line in statement["lines"]],
                         ["-350.00", "-250.00", "200.00", "400.00"])
        self.assertEqual(statement["closing"], money("100.00", "RUB"))
        total = sum(Decimal(line["amount"]["amount"]) for line in statement["lines"])
        self.assertEqual(total, 0)
        refusals = self.events(account, "ChargeRefused")
        self.assertEqual(len(refusals), 1)
        self.assertEqual(refusals[0]["data"]["short_by"], money("0.01", "RUB"))
        self.assertEqual(refusals[0]["data"]["amount"], money("250.01", "RUB"))
        self.assertTrue(refusals[0]["actor"])

    def test_A_4_limits_of_tags_and_two_servers_at_once(self):
        account = self.open_account()

        def put(tag, value="yes", extra=None, service="101"):
            body = {"value": value} if extra is None else {"value": value, "extra": extra}
            return self.client.put(self.path(account, f"/services/{service}/tags/{tag}"), body)

        self.ok(put("t" * 32))
        self.problem(put("t" * 33), 422, "validation")
        self.ok(put("value", "v" * 256))
        self.problem(put("value", "v" * 257), 422, "validation", "/value")
        self.ok(put("value-bytes", "é" * 128))
        self.problem(put("value-bytes", "é" * 128 + "x"), 422, "validation", "/value")
        self.ok(put("extra", "v", "x" * 16384))
        self.problem(put("extra", "v", "x" * 16385), 422, "validation", "/extra")
        self.ok(put("auto_credit"))
        commands = [{"method": "PUT", "idempotency_key": f"bulk-{server}",
                     "path": self.path(account, f"/services/{server}/tags/bulk"),
                     "body": {"value": "on"}} for server in ("101", "102")]
        first = self.ok(self.client.post("/v1/batch", {"commands": commands}, key=None))
        self.assertEqual([item["status"] for item in first.json["results"]], [200, 200])
        version = self.version(account)
        again = self.ok(self.client.post("/v1/batch", {"commands": commands}, key=None))
        for item in again.json["results"]:
            self.assertTrue(item.pop("replayed"))
        self.assertEqual(again.json, first.json)
        self.assertEqual(self.version(account), version)
        rows = self.pages(self.path(account, "/tags"))
        bulk = {row["service"]: row["value"] for row in rows if row["tag"] == "bulk"}
        self.assertEqual(bulk, {"101": "on", "102": "on"})
        set_events = [event for event in self.events(account, "TagSet")
                      if event["data"]["tag"] == "bulk"]
        self.assertEqual(len(set_events), 2)
        for event in set_events:
            self.assertTrue(event["actor"])

    def test_D_3_the_limit_can_be_used_to_the_last_digit_and_not_beyond(self):
        account = self.open_account(mode="postpaid")
        self.set_limit(account, "1000")
        self.done(self.charge(account, "76.6052"))
        self.assert_balance(account, available="923.3948", credit_used="76.6052")
        last = self.done(self.charge(account, "923.3948"))
        self.assertEqual(last.result["available_after"], money("0.00"))
        self.assert_balance(account, available="0.00", balance="-1000.00")
        refused = self.problem(self.charge(account, "0.0001"), 409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("0.0001"))
        booked = self.done(self.charge(account, "0.0001", enforce="record"))
        self.assertEqual(booked.result["balance_after"], money("-1000.0001"))
        self.assert_balance(account, available="0.00", balance="-1000.0001")

    def test_D_6_remaining_is_amount_less_usage(self):
        account = self.open_account()
        self.top_up(account, "335.50")
        self.done(self.charge(account, "34.00"))
        self.assert_balance(account, balance="301.50", available="301.50", shown_balance="301.50")

    def test_D_9_five_concurrent_callbacks_raise_the_balance_once(self):
        for name, key in (("own keys", None), ("one key", "callback-1")):
            with self.subTest(name):
                account = self.open_account()
                body = {"amount": money("50.00"), "provider": "stripe",
                        "provider_payment_id": f"pi_{account}"}
                call = ((lambda: self.command(account, "top-ups", body)) if key is None else
                        (lambda: self.command(account, "top-ups", body, key=key)))
                answers = self.at_once([call] * 5)
                for answer in answers:
                    self.done(answer)
                self.assertEqual(len({answer.body for answer in answers}), 1)
                self.assertEqual(sum(not answer.replayed for answer in answers), 1)
                self.assert_balance(account, balance="50.00")
                self.assertEqual(len(self.events(account, "BalanceToppedUp")), 1)

    def test_D_10_a_limit_change_is_an_event_with_who_when_from_and_to(self):
        account = self.open_account()
        self.set_limit(account, "1000.0000")
        self.set_limit(account, "2000.0000")
        changes = self.events(account, "CreditLimitSet")
        self.assertEqual([change["data"]["amount"] for change in changes],
                         [money("1000.00"), money("2000.00")])
        self.assertEqual(changes[1]["data"]["previous"], money("1000.00"))
        self.assertEqual(changes[1]["data"]["reason"], "agreed with the customer")
        self.assertTrue(changes[1]["actor"])
        self.assertLess(changes[0]["recorded_at"], changes[1]["recorded_at"])
