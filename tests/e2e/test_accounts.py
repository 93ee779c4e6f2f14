"""Accounts, tags, credit limits, the catalogue's currencies, private data."""

import uuid

from daybook import LedgerCase, money, new_id


class AccountsTest(LedgerCase):

    def test_an_account_opens_with_defaults_and_shows_what_it_is(self):
        account = self.open_account("EUR")
        shown = self.ok(self.client.get(self.path(account)))
        self.assertEqual(shown.json["id"], account)
        self.assertEqual(shown.json["status"], "open")
        self.assertEqual(shown.json["mode"], "prepaid")
        self.assertEqual(shown.json["currency"], "EUR")
        self.assertEqual(shown.json["version"], 1)
        self.assertEqual(shown.header("ETag"), '"1"')
        self.assertEqual(shown.json["tags"], {})
        self.assertEqual(shown.json["balances"], [{
            "currency": "EUR", "balance": "0.00", "shown_balance": "0.00", "credit_limit": "0.00",
            "credit_limit_source": "none", "credit_used": "0.00", "held": "0.00",
            "unbilled": "0.00", "receivable": "0.00", "available": "0.00"}])

    def test_the_first_event_is_version_1_and_its_answer_names_it(self):
        account = new_id()
        answer = self.done(self.client.post("/v1/accounts", {"id": account, "currency": "USD"}))
        self.assertEqual(answer.event["type"], "AccountOpened")
        self.assertEqual(answer.event["version"], 1)
        self.assertEqual(answer.event["account"], account)
        self.assertEqual(answer.header("ETag"), '"1"')
        self.assertEqual(answer.position, answer.event["position"])
        events = self.events(account)
        self.assertEqual(len(events), 1)
        for name in ("id", "type", "version", "position", "recorded_at", "effective_at", "actor"):
            self.assertEqual(events[0][name], answer.event[name], name)
        self.assertEqual(events[0]["data"], answer.result)

    def test_an_id_is_generated_from_the_key(self):
        key = uuid.uuid4().hex
        first = self.done(self.client.post("/v1/accounts", {"currency": "USD"}, key=key))
        again = self.done(self.client.post("/v1/accounts", {"currency": "USD"}, key=key))
        other = self.done(self.client.post("/v1/accounts", {"currency": "USD"}))
        self.assertTrue(again.replayed)
        self.assertEqual(first.body, again.body)
        self.assertNotEqual(first.event["account"], other.event["account"])
        self.ok(self.client.get(self.path(first.event["account"])))

    def test_a_taken_id_is_refused(self):
        account = self.open_account()
        for body in ({"currency": "USD"}, {"currency": "EUR"},
                     {"currency": "USD", "mode": "postpaid"}):
            self.problem(self.client.post("/v1/accounts", {"id": account, **body}),
                         409, "account-exists")
        self.assertEqual(self.ok(self.client.get(self.path(account))).json["status"], "open")

    def test_the_grammar_of_account_ids(self):
        suffix = uuid.uuid4().hex
        for good in ("a" + suffix, ":40" + suffix, "A.b_c+d:e-f" + suffix,
                     ("x" * 128)[:96] + suffix, "0" + suffix):
            with self.subTest(good=good):
                self.open_account(account=good)
                self.assertEqual(self.balance(good)["balance"], "0.00")
        for bad in ("", ".a", "-a", "_a", "+a", "a b", "a/b", "a@example.org", "ä", "a%40b",
                    "x" * 129, 7, None):
            with self.subTest(bad=bad):
                self.problem(self.client.post("/v1/accounts", {"id": bad, "currency": "USD"}),
                             422, "validation", "/id")

    def test_an_absent_account_is_404_everywhere(self):
        absent = new_id("absent")
        for rest in ("", "/balance", "/transactions", "/statement", "/events", "/tags",
                     "/credit-limit"):
            with self.subTest(rest):
                self.problem(self.client.get(self.path(absent, rest)), 404, "not-found")
        self.problem(self.charge(absent, "1.00"), 404, "not-found")
        self.problem(self.client.put(self.path(absent, "/tags/a"), {"value": "b"}),
                     404, "not-found")

    def test_each_currency_has_its_own_balance_and_the_own_one_comes_first(self):
        account = self.open_account("USD")
        self.top_up(account, "10.00", "EUR")
        self.top_up(account, "5", "JPY")
        self.top_up(account, "1.234", "KWD")
        rows = self.ok(self.client.get(self.path(account, "/balance"))).json["balances"]
        self.assertEqual(rows[0]["currency"], "USD")
        self.assertEqual({row["currency"]: row["balance"] for row in rows},
                         {"USD": "0.00", "EUR": "10.00", "JPY": "5", "KWD": "1.234"})
        one = self.ok(self.client.get(self.path(account, "/balance?currency=JPY"))).json
        self.assertEqual([row["currency"] for row in one["balances"]], ["JPY"])
        self.problem(self.charge(account, "0.01", "USD"), 409, "insufficient-funds")

    def test_the_list_filters_by_status_and_tag_and_its_pages_hold(self):
        mark = uuid.uuid4().hex[:16]
        accounts = sorted(self.open_account(tags={"mark": {"value": mark}}) for _ in range(5))
        frozen = self.done(self.command(accounts[0], "freeze", {"reason": "audit"}))
        target = f"/v1/accounts?tag[mark]={mark}&min_position={frozen.position}"
        self.assertEqual(sorted(row["id"] for row in self.pages(target, 2)), accounts)
        self.assertEqual([row["id"] for row in self.pages(target + "&status=frozen")],
                         accounts[:1])
        self.assertEqual(sorted(row["id"] for row in self.pages(target + "&status=open")),
                         accounts[1:])
        self.assertEqual(self.pages(f"/v1/accounts?tag[mark]=other-{mark}"), [])

    # -- tags

    def test_tags_of_the_account_and_of_its_services_are_set_and_removed(self):
        account = self.open_account(tags={"env": {"value": "prod"}})
        first = self.ok(self.client.put(self.path(account, "/tags/env"), {"value": "test"}))
        self.assertEqual(first.event["type"], "TagSet")
        self.assertEqual(first.result["previous"], "prod")
        self.ok(self.client.put(self.path(account, "/services/101/tags/auto_credit"),
                                {"value": "yes"}))
        shown = self.ok(self.client.get(self.path(account))).json
        self.assertEqual(shown["tags"], {"env": {"value": "test"}})
        self.assertEqual(shown["services"], {"101": {"tags": {"auto_credit": {"value": "yes"}}}})
        rows = self.pages(self.path(account, "/services/101/tags"))
        self.assertEqual([(row["tag"], row["value"], row["service"]) for row in rows],
                         [("auto_credit", "yes", "101")])
        gone = self.ok(self.client.delete(self.path(account, "/tags/env")))
        self.assertEqual(gone.event["type"], "TagRemoved")
        self.assertEqual(gone.result["previous"], "test")
        self.assertEqual(self.ok(self.client.get(self.path(account))).json["tags"], {})

    def test_an_absent_tag_is_404_but_auto_credit_records_the_opt_out(self):
        account = self.open_account()
        self.problem(self.client.delete(self.path(account, "/tags/env")), 404, "not-found")
        self.problem(self.client.delete(self.path(account, "/services/1/tags/env")),
                     404, "not-found")
        out = self.ok(self.client.delete(self.path(account, "/services/1/tags/auto_credit")))
        self.assertEqual(out.event["type"], "TagRemoved")
        self.assertEqual(out.result["service"], "1")

    def test_protected_and_ill_formed_tag_names_are_refused(self):
        account = self.open_account()
        for name in ("password", "os", "hostname", "root_pass", "rootpassword", "a.b", "a%20b",
                     "%C3%A4"):
            with self.subTest(name):
                self.problem(self.client.put(self.path(account, f"/tags/{name}"), {"value": "x"}),
                             422, "validation")
        self.problem(self.client.post("/v1/accounts", {
            "currency": "USD", "tags": {"password": {"value": "x"}}}), 422, "validation")

    def test_erasing_private_data_takes_the_extra_and_leaves_the_tag(self):
        account = self.open_account()
        self.ok(self.client.put(self.path(account, "/tags/contact"),
                                {"value": "billing", "extra": "write to the night shift"}))
        tags = self.ok(self.client.get(self.path(account))).json["tags"]
        self.assertEqual(tags["contact"]["extra"], "write to the night shift")
        log = self.ok(self.client.get(self.path(account, "/events"),
                                      headers={"Accept": "application/x-ndjson"}))
        self.assertNotIn(b"night shift", log.body)
        erased = self.ok(self.client.delete(self.path(account, "/private")))
        self.assertEqual(erased.event["type"], "PrivateDataErased")
        again = self.ok(self.client.delete(self.path(account, "/private")))
        self.assertIsNone(again.json["event"])
        keyed = self.ok(self.client.delete(self.path(account, "/private"), key="again"))
        self.assertEqual(keyed.event["type"], "NoChange")
        tags = self.ok(self.client.get(self.path(account))).json["tags"]
        self.assertEqual(tags["contact"], {"value": "billing"})
        after = self.ok(self.client.get(self.path(account, "/events"),
                                        headers={"Accept": "application/x-ndjson"}))
        self.assertTrue(after.body.startswith(log.body), "erasure changed the log")

    # -- credit limits and currencies

    def test_the_effective_limit_is_the_accounts_else_the_currencys_else_none(self):
        self.ok(self.client.put("/v1/catalogue/currencies/GBP",
                                {"default_credit_limit": "5000.0000"}))
        account, other = self.open_account("GBP"), self.open_account("GBP")

        def limit(name):
            shown = self.ok(self.client.get(self.path(name, "/credit-limit?currency=GBP"))).json
            return shown["amount"]["amount"], shown["source"]

        self.assertEqual(limit(account), ("5000.00", "currency-default"))
        self.set_limit(other, "1000", "GBP")
        self.assertEqual(limit(other), ("1000.00", "account"))
        self.ok(self.client.put("/v1/catalogue/currencies/GBP", {"default_credit_limit": "6000"}))
        self.assertEqual(limit(account), ("6000.00", "currency-default"))
        self.assertEqual(limit(other), ("1000.00", "account"))
        self.assert_balance(account, credit_limit="6000.00", available="6000.00",
                            credit_limit_source="currency-default")
        charged = self.done(self.charge(account, "5999.99", "GBP"))
        self.assertEqual(charged.result["available_after"], money("0.01", "GBP"))
        cleared = self.ok(self.client.delete(self.path(other, "/credit-limit?currency=GBP")))
        self.assertEqual(cleared.event["type"], "CreditLimitCleared")
        self.assertEqual(cleared.result["previous"], money("1000.00", "GBP"))
        self.assertEqual(limit(other), ("6000.00", "currency-default"))
        self.assertEqual(self.balance(other)["credit_limit"], "6000.00")

    def test_a_limit_of_zero_is_no_credit_and_limits_are_per_currency(self):
        self.ok(self.client.put("/v1/catalogue/currencies/CHF", {"default_credit_limit": "10"}))
        account = self.open_account("CHF")
        self.set_limit(account, "0", "CHF")
        self.assert_balance(account, credit_limit="0.00", credit_limit_source="account",
                            available="0.00")
        self.set_limit(account, "7", "SEK")
        self.assert_balance(account, "CHF", credit_limit="0.00")
        self.assert_balance(account, "SEK", credit_limit="7.00", available="7.00")
        body = {"amount": money("5.00", "CHF"), "reason": "x"}
        self.problem(self.client.put(self.path(account, "/credit-limit?currency=SEK"), body),
                     422, "validation")

    def test_clearing_and_erasing_may_say_why_and_removing_says_nothing(self):
        account = self.open_account()
        self.set_limit(account, "10.00")
        self.ok(self.client.put(self.path(account, "/tags/a"), {"value": "x", "extra": "y"}))
        reason = {"reason": "asked by the customer"}
        for rest in ("/credit-limit", "/private"):
            answer = self.ok(self.client.request("DELETE", self.path(account, rest), reason))
            self.assertEqual(answer.result["reason"], reason["reason"])
        self.problem(self.client.request("DELETE", self.path(account, "/tags/a"), reason),
                     422, "validation", "/reason")
        self.assertNotIn("reason", self.ok(self.client.delete(self.path(account, "/tags/a"))).result)

    def test_a_currency_without_an_entry_works_and_one_with_an_entry_is_listed(self):
        shown = self.ok(self.client.get("/v1/catalogue/currencies/NOK")).json
        self.assertEqual((shown["code"], shown["default_credit_limit"], shown["status"]),
                         ("NOK", "0.00", "active"))
        self.assertNotIn("minimum_top_up", shown)
        answer = self.ok(self.client.put("/v1/catalogue/currencies/DKK", {
            "default_credit_limit": "1.5", "minimum_top_up": "2"}))
        self.assertEqual(answer.event["type"], "CurrencySet")
        self.assertNotIn("account", answer.event)
        shown = self.ok(self.client.get("/v1/catalogue/currencies/DKK")).json
        self.assertEqual((shown["default_credit_limit"], shown["minimum_top_up"]),
                         ("1.50", "2.00"))
        codes = [row["code"] for row in self.pages("/v1/catalogue/currencies")]
        self.assertIn("DKK", codes)
        self.assertNotIn("NOK", codes)
        account = self.open_account("DKK")
        self.problem(self.command(account, "top-ups", {"amount": money("1.99", "DKK")}),
                     422, "validation", "/amount/amount")
        self.top_up(account, "2.00", "DKK")
