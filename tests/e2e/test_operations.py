"""What an operator and a bookkeeper look at: metrics, and the general ledger."""

import re
from decimal import Decimal

from daybook import LedgerCase, money


class GeneralLedgerTest(LedgerCase):

    def ledger(self, query="", client=None):
        return self.ok((client or self.client).get("/v1/general-ledger" + query)).json

    def row(self, ledger, account, currency):
        rows = [row for row in ledger["accounts"]
                if (row["ledger_account"], row["currency"]) == (account, currency)]
        return rows[0] if rows else dict.fromkeys(("opening", "debits", "credits", "closing"),
                                                  "0")

    def assert_sound(self, ledger):
        for total in ledger["totals"]:
            rows = [row for row in ledger["accounts"] if row["currency"] == total["currency"]]
            for column in ("opening", "debits", "credits", "closing"):
                self.assertEqual(sum(Decimal(row[column]) for row in rows), Decimal(total[column]))
            self.assertEqual(Decimal(total["opening"]), 0)
            self.assertEqual(Decimal(total["closing"]), 0)
            self.assertEqual(total["debits"], total["credits"])
        for row in ledger["accounts"]:
            self.assertEqual(Decimal(row["opening"]) + Decimal(row["debits"])
                             - Decimal(row["credits"]), Decimal(row["closing"]))

    def test_the_trial_balance_has_every_posting_and_sums_to_zero(self):
        before = self.ledger("?currency=SEK")
        account = self.open_account("SEK")
        self.top_up(account, "100.00", "SEK")
        self.done(self.charge(account, "30.25", "SEK"))
        position = self.done(self.command(account, "credit-notes", {
            "amount": money("5.00", "SEK"), "reason": "kind"})).position
        after = self.ledger(f"?currency=SEK&min_position={position}")
        self.assert_sound(after)

        def change(name, column):
            return (Decimal(self.row(after, name, "SEK")[column])
                    - Decimal(self.row(before, name, "SEK")[column]))

        self.assertEqual(change("payment-clearing", "debits"), Decimal("100.00"))
        self.assertEqual(change("revenue", "credits"), Decimal("30.25"))
        self.assertEqual(change("credit-notes", "debits"), Decimal("5.00"))
        self.assertEqual(change("customer-balance", "closing"), Decimal("-74.75"))
        self.assertTrue(all(row["currency"] == "SEK" for row in after["accounts"]))
        self.assertRegex(after["position"], r"^0:\d+$")
        self.assert_sound(self.ledger())

    def test_the_closing_of_one_period_is_the_opening_of_the_next(self):
        account = self.open_account("NOK")
        for day, amount in (("2025-01-31", "1.00"), ("2025-02-01", "2.00"),
                            ("2025-02-28", "4.00"), ("2025-03-01", "8.00")):
            self.top_up(account, amount, "NOK", effective_at=day + "T12:00:00Z")
        january = self.ledger("?currency=NOK&to=2025-02-01")
        february = self.ledger("?currency=NOK&from=2025-02-01&to=2025-03-01")
        march = self.ledger("?currency=NOK&from=2025-03-01")
        for ledger in (january, february, march):
            self.assert_sound(ledger)
        self.assertEqual(self.row(february, "payment-clearing", "NOK"), {
            "ledger_account": "payment-clearing", "currency": "NOK", "opening": "1.00",
            "debits": "6.00", "credits": "0.00", "closing": "7.00"})
        for first, then in ((january, february), (february, march)):
            for row in first["accounts"]:
                self.assertEqual(self.row(then, row["ledger_account"], "NOK")["opening"],
                                 row["closing"])
        self.assertEqual((february["from"], february["to"]), ("2025-02-01", "2025-03-01"))

    def test_a_day_that_is_none_and_a_period_that_runs_backwards_are_refused(self):
        for query, name in (("from=2025-02-30", "from"), ("to=2025-02-01T00:00:00Z", "to"),
                            ("from=yesterday", "from"), ("from=2025-02-02&to=2025-02-01", "to"),
                            ("currency=XXY", "currency"), ("account=a", "account")):
            self.problem(self.client.get("/v1/general-ledger?" + query), 422, "validation",
                         parameter=name)

    def test_auditors_may_read_it_and_clients_may_not(self):
        account = self.open_account()
        made = self.done(self.client.post("/v1/keys", {"roles": ["auditor"]}))
        auditor = self.server.client(made.result["secret"])
        self.addCleanup(auditor.close)
        self.assert_sound(self.ledger(client=auditor))
        made = self.done(self.client.post("/v1/keys", {"roles": ["client"],
                                                       "accounts": [account]}))
        client = self.server.client(made.result["secret"])
        self.addCleanup(client.close)
        self.problem(client.get("/v1/general-ledger"), 403, "forbidden")


class MetricsTest(LedgerCase):

    def metrics(self):
        text = self.ok(self.client.get("/metrics")).body.decode("utf-8")
        return {name: float(value) for name, value in
                re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.e+]+)$", text, re.M)}

    def test_refusals_before_a_body_and_the_edge_are_counted(self):
        before = self.metrics()
        nobody = self.server.client("dbk_" + "0" * 40)
        self.addCleanup(nobody.close)
        self.problem(nobody.get("/v1/accounts"), 401, "unauthenticated")
        self.client.raw_exchange(b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\n"
                                 b"Connection: close\r\n\r\n")
        self.client.raw_exchange(b"PUT /v1/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                                 b"Connection: close\r\n\r\n")
        self.client.raw_exchange(b"GARBAGE\r\n\r\n")
        after = self.metrics()

        def grew(name):
            return after.get(name, 0) - before.get(name, 0)

        total = "daybook_http_requests_total"
        self.assertEqual(grew(total + '{method="GET",route="/v1/accounts",status="401"}'), 1)
        self.assertEqual(grew(total + '{method="GET",route="none",status="404"}'), 1)
        self.assertEqual(grew(total + '{method="PUT",route="none",status="405"}'), 1)
        self.assertGreaterEqual(grew("daybook_http_edge_refused_total"), 1)
        self.assertGreaterEqual(grew("daybook_http_connections_total"), 4)
        self.assertGreaterEqual(grew("daybook_http_edge_requests_total"), 4)
        self.assertGreaterEqual(after["daybook_http_open_connections"], 1)
