"""What moves a balance: charges, holds, refunds, credit notes, adjustments, pay-outs, reversals,
and what closing and freezing forbid."""

import datetime
import time
import uuid

from daybook import LedgerCase, money


def soon(seconds):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class MoneyTest(LedgerCase):

    def funded(self, amount="100.00", currency="USD"):
        account = self.open_account(currency)
        self.top_up(account, amount, currency)
        return account

    # -- charges

    def test_amounts_keep_twelve_decimals_exactly(self):
        account = self.funded("1.00")
        self.done(self.charge(account, "0.000000000001"))
        self.assert_balance(account, balance="0.999999999999")
        self.done(self.charge(account, "0.0000008"))
        self.assert_balance(account, balance="0.999999199999")
        self.done(self.command(account, "adjustments", {
            "amount": money("0.000000800001"), "reason": "exactly back"}))
        self.assert_balance(account, balance="1.00")

    def test_amounts_keep_twenty_six_digits_exactly(self):
        account = self.funded("99999999999999999999999999.99")
        self.assert_balance(account, balance="99999999999999999999999999.99")
        charged = self.done(self.charge(account, "99999999999999999999999999.99"))
        self.assertEqual(charged.result["balance_after"], money("0.00"))

    def test_a_recorded_charge_is_always_booked_and_a_strict_one_is_refused(self):
        account = self.open_account()
        refused = self.problem(self.charge(account, "5.00"), 409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("5.00"))
        booked = self.done(self.charge(account, "5.00", enforce="record"))
        self.assertEqual(booked.result["balance_after"], money("-5.00"))
        self.assertEqual(booked.result["enforce"], "record")
        again = self.problem(self.charge(account, "1.00"), 409, "insufficient-funds")
        self.assertEqual(again.json["short_by"], money("6.00"))
        self.assert_balance(account, balance="-5.00", shown_balance="0.00", credit_used="5.00",
                            available="0.00")

    def test_a_charge_keeps_description_service_and_attributes(self):
        account = self.funded()
        given = {"description": "CPU hours – Köln", "service": "101",
                 "attributes": {"region": "eu-1", "sku": "c2"}}
        answer = self.done(self.charge(account, "1.00", **given))
        for name, value in given.items():
            self.assertEqual(answer.result[name], value)
        data = self.events(account, "ChargePosted")[0]["data"]
        self.assertEqual(data, answer.result)

    def test_concurrent_charges_never_spend_the_same_money_twice(self):
        account = self.funded("10.00")
        answers = self.at_once([lambda: self.charge(account, "1.00")] * 16)
        self.assertEqual(sorted(a.status for a in answers), [201] * 10 + [409] * 6)
        self.assert_balance(account, balance="0.00", available="0.00")
        self.assertEqual(len(self.events(account, "ChargePosted")), 10)
        self.assertEqual(len(self.events(account, "ChargeRefused")), 6)

    # -- holds

    def hold(self, account, amount="60.00", **more):
        answer = self.done(self.command(account, "holds", {"amount": money(amount), **more}))
        self.assertEqual(answer.event["type"], "HoldPlaced")
        return answer.event["id"]

    def test_a_hold_reserves_and_a_partial_capture_releases_the_rest(self):
        account = self.funded()
        hold = self.hold(account)
        self.assert_balance(account, balance="100.00", held="60.00", available="40.00")
        self.problem(self.charge(account, "40.01"), 409, "insufficient-funds")
        taken = self.done(self.command(account, f"holds/{hold}/capture",
                                       {"amount": money("25.00")}))
        self.assertEqual(taken.event["type"], "HoldCaptured")
        self.assertEqual(taken.result["hold"], hold)
        self.assertEqual(taken.result["amount"], money("25.00"))
        self.assertEqual(taken.result["released"], money("35.00"))
        self.assert_balance(account, balance="75.00", held="0.00", available="75.00")
        self.problem(self.command(account, f"holds/{hold}/capture"), 409, "hold-not-open")
        self.problem(self.command(account, f"holds/{hold}/release"), 409, "hold-not-open")
        self.assertEqual([row["type"] for row in self.transactions(account)],
                         ["HoldCaptured", "BalanceToppedUp"])

    def test_a_capture_without_a_description_is_described_by_its_hold(self):
        account = self.funded()
        hold = {"amount": money("10.00"), "description": "a night in room 7"}
        for words in ({}, {"description": "minibar"}):
            placed = self.done(self.command(account, "holds", hold)).event["id"]
            self.done(self.command(account, f"holds/{placed}/capture", words))
        plain = self.done(self.command(account, "holds", {"amount": money("10.00")})).event["id"]
        self.done(self.command(account, f"holds/{plain}/capture"))
        lines = self.ok(self.client.get(self.path(account, "/statement"))).json["lines"]
        self.assertEqual([line.get("description") for line in lines[-3:]],
                         ["a night in room 7", "minibar", None])
        self.assertEqual([row.get("description") for row in self.transactions(account)[:3]],
                         [None, "minibar", "a night in room 7"])

    def test_a_capture_without_an_amount_takes_the_whole_hold(self):
        account = self.funded()
        hold = self.hold(account)
        self.done(self.command(account, f"holds/{hold}/capture"))
        self.assert_balance(account, balance="40.00", held="0.00")

    def test_a_capture_above_the_hold_is_refused_and_the_hold_stays(self):
        account = self.funded()
        hold = self.hold(account)
        refused = self.problem(self.command(account, f"holds/{hold}/capture",
                                            {"amount": money("60.01")}), 409, "exceeds-original")
        self.assertEqual(refused.json["left"], money("60.00"))
        self.problem(self.command(account, f"holds/{hold}/capture",
                                  {"amount": money("1.00", "EUR")}),
                     422, "validation", "/amount/currency")
        self.assert_balance(account, held="60.00")

    def test_a_released_hold_gives_everything_back(self):
        account = self.funded()
        hold = self.hold(account)
        answer = self.done(self.command(account, f"holds/{hold}/release", {"reason": "cancelled"}))
        self.assertEqual(answer.event["type"], "HoldReleased")
        self.assert_balance(account, balance="100.00", held="0.00", available="100.00")

    def test_a_hold_beyond_available_is_refused(self):
        account = self.funded()
        refused = self.problem(self.command(account, "holds", {"amount": money("100.01")}),
                               409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("0.01"))
        self.assert_balance(account, held="0.00")

    def test_a_hold_expires_by_itself(self):
        account = self.funded()
        hold = self.hold(account, expires_at=soon(1.0))
        self.assert_balance(account, held="60.00")
        deadline = time.monotonic() + 15
        while self.balance(account)["held"] != "0.00":
            self.assertLess(time.monotonic(), deadline, "the hold did not expire")
            time.sleep(0.1)
        self.problem(self.command(account, f"holds/{hold}/capture"), 409, "hold-not-open")
        expired = self.events(account, "HoldExpired")
        self.assertEqual([event["data"]["hold"] for event in expired], [hold])

    def test_an_expiry_is_settled_before_the_next_decision(self):
        account = self.funded()
        self.hold(account, expires_at=soon(0.5))
        time.sleep(0.7)
        self.done(self.charge(account, "100.00"))
        self.assertEqual(len(self.events(account, "HoldExpired")), 1)

    def test_an_expiry_in_the_past_and_an_unknown_hold_are_refused(self):
        account = self.funded()
        self.problem(self.command(account, "holds", {
            "amount": money("1.00"), "expires_at": soon(-60)}), 422, "validation", "/expires_at")
        other = self.hold(self.funded())
        for hold in (other, str(uuid.UUID(int=0x8 << 76 | 0x2 << 62))):
            self.problem(self.command(account, f"holds/{hold}/capture"), 404, "not-found")
        self.problem(self.command(account, "holds/not-a-hold/capture"), 422, "validation")

    # -- refunds

    def test_refunds_add_up_to_the_original_and_never_above(self):
        account = self.funded()
        charge = self.done(self.charge(account, "100.00")).event["id"]

        def refund(amount):
            return self.command(account, "refunds", {
                "charge": charge, "amount": money(amount), "reason": "outage"})

        first = self.done(refund("40.00"))
        self.assertEqual(first.event["type"], "ChargeRefunded")
        self.assertEqual(first.result["charge"], charge)
        self.done(refund("40.00"))
        refused = self.problem(refund("20.01"), 409, "exceeds-original")
        self.assertEqual(refused.json["left"], money("20.00"))
        self.done(refund("20.00"))
        refused = self.problem(refund("0.01"), 409, "exceeds-original")
        self.assertEqual(refused.json["left"], money("0.00"))
        self.assert_balance(account, balance="100.00")
        self.assertEqual(len(self.events(account, "ChargeRefunded")), 3)

    def test_a_refund_without_an_amount_gives_the_rest_back(self):
        account = self.funded()
        charge = self.done(self.charge(account, "30.00")).event["id"]
        self.done(self.command(account, "refunds", {
            "charge": charge, "amount": money("10.00"), "reason": "a"}))
        rest = self.done(self.command(account, "refunds", {"charge": charge, "reason": "b"}))
        self.assertEqual(rest.result["amount"], money("20.00"))
        self.problem(self.command(account, "refunds", {"charge": charge, "reason": "c"}),
                     409, "exceeds-original")

    def test_concurrent_refunds_never_exceed_the_original(self):
        account = self.funded("10.00")
        charge = self.done(self.charge(account, "10.00")).event["id"]
        answers = self.at_once([lambda: self.command(account, "refunds", {
            "charge": charge, "amount": money("3.00"), "reason": "race"})] * 8)
        self.assertEqual(sorted(a.status for a in answers), [201] * 3 + [409] * 5)
        self.assert_balance(account, balance="9.00")

    def test_a_refund_needs_a_charge_of_this_account_in_its_currency(self):
        account = self.funded()
        top_up = self.events(account, "BalanceToppedUp")[0]["id"]
        other = self.funded()
        foreign = self.done(self.charge(other, "5.00")).event["id"]
        for charge in (top_up, foreign, str(uuid.UUID(int=0x8 << 76 | 0x2 << 62))):
            answer = self.command(account, "refunds", {"charge": charge, "reason": "x"})
            self.assertIn(answer.status, (404, 422), repr(answer))
        own = self.done(self.charge(account, "5.00")).event["id"]
        self.problem(self.command(account, "refunds", {
            "charge": own, "amount": money("1.00", "EUR"), "reason": "x"}),
            422, "validation", "/amount/currency")

    # -- credit notes and adjustments

    def test_credit_notes_and_adjustments_are_signed_and_never_refused_for_funds(self):
        account = self.open_account()
        for what, kind in (("credit-notes", "CreditNoteIssued"),
                           ("adjustments", "AdjustmentPosted")):
            with self.subTest(what):
                up = self.done(self.command(account, what, {
                    "amount": money("10.00"), "reason": "goodwill"}))
                self.assertEqual(up.event["type"], kind)
                down = self.done(self.command(account, what, {
                    "amount": money("-15.00"), "reason": "correction"}))
                self.assertEqual(down.result["balance_after"], money("-5.00"))
                self.done(self.command(account, what, {"amount": money("5.00"), "reason": "zero"}))
                self.assertEqual([e["data"]["amount"]["amount"] for e in self.events(account, kind)],
                                 ["10.00", "-15.00", "5.00"])
                for body, pointer in (({"amount": money("1.00")}, "/reason"),
                                      ({"amount": money("1.00"), "reason": ""}, "/reason"),
                                      ({"amount": money("0"), "reason": "x"}, "/amount/amount")):
                    self.problem(self.command(account, what, body), 422, "validation", pointer)
        self.done(self.command(account, "adjustments", {
            "amount": money("0.1"), "reason": "r", "attributes": {"ticket": "T-1"}}))
        self.assert_balance(account, balance="0.10")

    # -- pay-outs and reversals

    def test_a_pay_out_takes_at_most_balance_less_holds(self):
        account = self.funded()
        self.set_limit(account, "1000.00")
        hold = self.hold(account, "30.00")
        refused = self.problem(self.command(account, "payouts", {"amount": money("70.01")}),
                               409, "insufficient-funds")
        self.assertEqual(refused.json["short_by"], money("0.01"))
        # What is available has the credit in it, and would cover it.
        self.assertEqual(refused.json["detail"], "the balance less the holds is below the amount")
        paid = self.done(self.command(account, "payouts", {"amount": money("70.00")}))
        self.assertEqual(paid.event["type"], "BalancePaidOut")
        self.assert_balance(account, balance="30.00", held="30.00", available="1000.00")
        self.done(self.command(account, f"holds/{hold}/release"))
        self.problem(self.command(account, "payouts", {"amount": money("0.001")}),
                     422, "validation", "/amount/amount")

    def test_a_reversed_top_up_may_leave_a_debt_and_happens_once(self):
        account = self.open_account()
        top_up = self.top_up(account, "50.00").event["id"]
        self.done(self.charge(account, "20.00"))
        answer = self.done(self.command(account, f"top-ups/{top_up}/reverse",
                                        {"reason": "chargeback"}))
        self.assertEqual(answer.event["type"], "TopUpReversed")
        self.assertEqual(answer.result["top_up"], top_up)
        self.assertEqual(answer.result["amount"], money("50.00"))
        self.assert_balance(account, balance="-20.00")
        self.problem(self.command(account, f"top-ups/{top_up}/reverse", {"reason": "again"}),
                     409, "already-reversed")
        self.assert_balance(account, balance="-20.00")
        other = self.funded()
        self.problem(self.command(other, f"top-ups/{top_up}/reverse", {"reason": "x"}),
                     404, "not-found")

    # -- usage facts

    def test_a_usage_fact_is_noted_and_moves_nothing(self):
        account = self.funded("1.00")
        noted = self.done(self.command(account, "usage-facts", {
            "attributes": {"quantity": "0.000235520300000", "unit": "GB"}}))
        self.assertEqual(noted.event["type"], "UsageNoted")
        self.assertEqual(noted.result["attributes"]["unit"], "GB")
        self.assert_balance(account, balance="1.00")
        self.assertEqual(len(self.transactions(account)), 1)
        self.problem(self.command(account, "usage-facts", {}), 422, "validation", "/attributes")

    # -- states

    def test_closing_needs_a_zero_balance_and_no_holds(self):
        account = self.funded("10.00")
        hold = self.hold(account, "4.00")
        self.assertIn(self.command(account, "close").slug, ("balance-not-zero", "holds-open"))
        self.done(self.command(account, f"holds/{hold}/release"))
        self.problem(self.command(account, "close"), 409, "balance-not-zero")
        self.done(self.command(account, "payouts", {"amount": money("10.00")}))
        self.set_limit(account, "5.00")
        last = self.hold(account, "1.00")
        self.problem(self.command(account, "close"), 409, "holds-open")
        self.done(self.command(account, f"holds/{last}/release"))
        closed = self.done(self.command(account, "close", {"reason": "customer left"}))
        self.assertEqual(closed.event["type"], "AccountClosed")
        self.assertEqual(self.ok(self.client.get(self.path(account))).json["status"], "closed")
        for what, body in (("charges", {"amount": money("1.00")}),
                           ("top-ups", {"amount": money("1.00")}),
                           ("holds", {"amount": money("1.00")}),
                           ("payouts", {"amount": money("1.00")})):
            with self.subTest(what):
                self.problem(self.command(account, what, body), 409, "account-closed")
        self.assertEqual(len(self.transactions(account)), 2)
        self.done(self.command(account, "reopen"))
        self.top_up(account, "1.00")
        self.assert_balance(account, balance="1.00")

    def test_a_debt_in_another_currency_keeps_an_account_open(self):
        account = self.open_account()
        self.done(self.charge(account, "1.00", "EUR", enforce="record"))
        self.problem(self.command(account, "close"), 409, "balance-not-zero")

    def test_a_freeze_refuses_strict_charges_holds_and_pay_outs_only(self):
        account = self.funded()
        charge = self.done(self.charge(account, "10.00")).event["id"]
        hold = self.hold(account, "10.00")
        self.done(self.command(account, "freeze", {"reason": "court order"}))
        self.assertEqual(self.ok(self.client.get(self.path(account))).json["status"], "frozen")
        for what in ("charges", "holds", "payouts"):
            with self.subTest(what):
                self.problem(self.command(account, what, {"amount": money("1.00")}),
                             409, "account-frozen")
        self.done(self.charge(account, "1.00", enforce="record"))
        self.top_up(account, "1.00")
        self.done(self.command(account, "refunds", {"charge": charge, "reason": "x"}))
        self.done(self.command(account, "credit-notes", {"amount": money("1.00"), "reason": "x"}))
        self.done(self.command(account, f"holds/{hold}/release"))
        self.assert_balance(account, balance="101.00", held="0.00")
        self.done(self.command(account, "unfreeze"))
        self.done(self.charge(account, "1.00"))

    def test_an_overflow_is_refused_and_changes_nothing(self):
        account = self.funded("99999999999999999999999999.99")
        answer = self.command(account, "top-ups", {
            "amount": money("99999999999999999999999999.99")})
        self.problem(answer, 422, "validation")
        self.assert_balance(account, balance="99999999999999999999999999.99")
