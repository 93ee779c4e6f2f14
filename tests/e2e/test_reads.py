"""Reads back in time, positions, cursors, statements, If-Match."""

import contextlib
import datetime
import threading
import time
from decimal import Decimal

from daybook import LedgerCase, money, new_id

FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def shift(moment, **delta):
    parsed = datetime.datetime.strptime(moment, FORMAT)
    return (parsed + datetime.timedelta(**delta)).strftime(FORMAT)


class ReadsTest(LedgerCase):

    def steps(self, count=5):
        """An account with `count` top-ups of 1.00; the answers, the opening first."""
        account = self.open_account()
        opened = self.events(account)[0]
        answers = []
        for _ in range(count):
            time.sleep(0.002)
            answers.append(self.top_up(account, "1.00").event)
        return account, opened, answers

    def at(self, account, query):
        return self.ok(self.client.get(self.path(account, "/balance?" + query))).json

    # -- as_of

    def test_as_of_is_inclusive_to_the_microsecond(self):
        account, opened, answers = self.steps()
        self.assertEqual(self.at(account, f"as_of={opened['recorded_at']}")["balances"][0]
                         ["balance"], "0.00")
        for count, event in enumerate(answers, 1):
            then = self.at(account, f"as_of={event['recorded_at']}")
            self.assertEqual(then["balances"][0]["balance"], f"{count}.00")
            self.assertTrue(then["position"])
            before = self.at(account, f"as_of={shift(event['recorded_at'], microseconds=-1)}")
            self.assertEqual(before["balances"][0]["balance"], f"{count - 1}.00")

    def test_as_of_position_is_inclusive_and_echoed(self):
        account, opened, answers = self.steps()
        self.assertEqual(self.at(account, f"as_of_position={opened['position']}")["balances"][0]
                         ["balance"], "0.00")
        for count, event in enumerate(answers, 1):
            then = self.at(account, f"as_of_position={event['position']}")
            self.assertEqual(then["balances"][0]["balance"], f"{count}.00")
            self.assertEqual(then["position"], event["position"])

    def test_a_time_before_the_account_is_not_yet(self):
        account, opened, _ = self.steps(1)
        before = shift(opened["recorded_at"], microseconds=-1)
        for rest in ("", "/balance", "/transactions", "/tags", "/credit-limit", "/statement"):
            with self.subTest(rest):
                self.problem(self.client.get(self.path(account, f"{rest}?as_of={before}")),
                             404, "not-yet")
        partition, number = opened["position"].split(":")
        if int(number) > 0:
            self.problem(self.client.get(self.path(
                account, f"/balance?as_of_position={partition}:{int(number) - 1}")),
                404, "not-yet")

    def test_a_time_in_the_future_is_422(self):
        account, opened, _ = self.steps(1)
        for name in ("as_of",):
            later = shift(opened["recorded_at"], hours=1)
            self.problem(self.client.get(self.path(account, f"/balance?{name}={later}")),
                         422, "validation", parameter=name)

    def test_as_of_and_as_of_position_together_are_422(self):
        account, opened, _ = self.steps(1)
        self.problem(self.client.get(self.path(
            account, f"/balance?as_of={opened['recorded_at']}"
            f"&as_of_position={opened['position']}")), 422, "validation")

    def test_the_past_is_byte_equal_before_and_after_later_events(self):
        account, _, answers = self.steps(3)
        queries = [f"/{what}?as_of_position={answers[1]['position']}"
                   for what in ("balance", "transactions", "tags", "credit-limit")]
        before = [self.ok(self.client.get(self.path(account, query))).body for query in queries]
        self.set_limit(account, "9.00")
        self.done(self.charge(account, "5.00", effective_at=answers[0]["effective_at"]))
        self.ok(self.client.put(self.path(account, "/tags/late"), {"value": "x"}))
        self.done(self.command(account, "freeze"))
        after = [self.ok(self.client.get(self.path(account, query))).body for query in queries]
        self.assertEqual(before, after)

    def test_every_version_can_be_seen_again(self):
        account = self.open_account()
        self.set_limit(account, "50.00")
        seen = []
        for step in range(30):
            if step % 3 == 0:
                answer = self.top_up(account, f"{step + 1}.01")
            elif step % 3 == 1:
                answer = self.done(self.charge(account, "0.123456789012", enforce="record"))
            else:
                answer = self.set_limit(account, f"{step}.50")
            seen.append((answer.event["position"], self.balance(account)))
        for position, row in seen:
            self.assertEqual(self.at(account, f"as_of_position={position}")["balances"][0], row)

    def test_tags_status_and_limit_go_back_in_time(self):
        account = self.open_account()
        on = self.ok(self.client.put(self.path(account, "/services/101/tags/auto_credit"),
                                     {"value": "yes"})).event
        self.set_limit(account, "10.00")
        time.sleep(0.002)
        off = self.ok(self.client.delete(
            self.path(account, "/services/101/tags/auto_credit"))).event
        self.done(self.command(account, "freeze"))
        then = self.ok(self.client.get(self.path(account, f"?as_of={on['recorded_at']}"))).json
        self.assertEqual(then["services"]["101"]["tags"], {"auto_credit": {"value": "yes"}})
        self.assertEqual(then["status"], "open")
        self.assertEqual(then["balances"][0]["credit_limit"], "0.00")
        self.assertEqual(then["version"], on["version"])
        rows = self.ok(self.client.get(self.path(
            account, f"/tags?as_of={off['recorded_at']}"))).json["data"]
        self.assertEqual(rows, [])

    # -- effective_at

    def test_effective_at_says_what_counted_by_then(self):
        account = self.open_account()
        time.sleep(0.05)
        first = self.top_up(account, "10.00").event
        time.sleep(0.05)
        middle = shift(first["recorded_at"], milliseconds=10)
        late = self.done(self.charge(account, "4.00", effective_at=middle)).event
        self.assertEqual(late["effective_at"], middle)
        self.assertGreater(late["recorded_at"], middle)

        def balance(query):
            return self.at(account, query)["balances"][0]["balance"]

        self.assertEqual(balance(f"effective_at={middle}"), "6.00")
        self.assertEqual(balance(f"effective_at={shift(middle, microseconds=-1)}"), "10.00")
        self.assertEqual(balance(f"as_of={middle}"), "10.00")
        self.assertEqual(balance(f"effective_at={middle}&as_of={first['recorded_at']}"), "10.00")

    # -- min_position

    def test_min_position_waits_and_gives_up_with_503(self):
        account, _, answers = self.steps(1)
        self.ok(self.client.get(self.path(
            account, f"/balance?min_position={answers[-1]['position']}")))
        partition, number = answers[-1]["position"].split(":")
        began = time.monotonic()
        far = self.client.get(self.path(
            account, f"/balance?min_position={partition}:{int(number) + 1000000}"))
        self.problem(far, 503, "projection-lag")
        self.assertEqual(far.json["detail"], "the log has not got that far yet")
        self.assertTrue(far.header("Retry-After"))
        self.assertLess(time.monotonic() - began, 20)

    def test_a_read_shows_the_write_before_it(self):
        account = self.open_account()
        for count in range(1, 101):
            self.top_up(account, "1.00")
            self.assertEqual(self.balance(account)["balance"], f"{count}.00")

    def test_a_read_on_another_connection_shows_the_write_too(self):
        account = self.open_account()
        other = self.server.client()
        self.addCleanup(other.close)
        for count in range(1, 51):
            self.top_up(account, "1.00")
            row = other.get(self.path(account, "/balance")).json["balances"][0]
            self.assertEqual(row["balance"], f"{count}.00")

    # -- pages

    def test_a_cursor_pins_its_position(self):
        account, _, _ = self.steps(7)
        wanted = [row["event_id"] for row in self.transactions(account)]
        got, cursor = [], ""
        while True:
            page = self.ok(self.client.get(self.path(
                account, "/transactions?limit=2" + (f"&cursor={cursor}" if cursor else "")))).json
            got += [row["event_id"] for row in page["data"]]
            if not page["has_more"]:
                break
            cursor = page["next"]
            self.top_up(account, "1.00")
        self.assertEqual(got, wanted)

    def walk(self, target, change, limit=2, parameter="cursor"):
        """All rows, page by page with a change before each; and the position of every page."""
        rows, positions, cursor = [], [], None
        joint = "&" if "?" in target else "?"
        while True:
            page = self.ok(self.client.get(f"{target}{joint}limit={limit}" + (
                f"&{parameter}={cursor}" if cursor else "")))
            rows += page.json["data"]
            positions.append(page.json["position"])
            self.assertEqual(page.position, page.json["position"])
            if not page.json["has_more"]:
                return rows, positions
            cursor = page.json["next"]
            change()

    def test_the_pages_of_every_list_are_of_one_moment(self):
        for code in ("AUD", "CHF", "NOK", "SEK"):
            self.ok(self.client.put(f"/v1/catalogue/currencies/{code}", {}))
        for list_of in (lambda mark, _: f"/v1/accounts?tag[m]={mark}",
                        lambda mark, _: f"/v1/accounts?status=open&tag[m]={mark}",
                        lambda _, account: self.path(account, "/tags"),
                        lambda _, account: self.path(account, "/events"),
                        lambda *_: "/v1/catalogue/currencies", lambda *_: "/v1/keys"):
            mark = new_id("m")
            accounts = [self.open_account(account=f"{mark}-{n}", tags={"m": {"value": mark}})
                        for n in "bdfhj"]
            for n in range(5):
                self.ok(self.client.put(self.path(accounts[0], f"/tags/t{n}"), {"value": "old"}))
                self.done(self.client.post("/v1/keys", {"roles": ["auditor"], "name": f"k{n}"}))
            fresh = zip("acegikmnoq", ("CAD", "CZK", "DKK", "HUF", "ZAR", "RON", "NZD", "THB"))
            target = list_of(mark, accounts[0])

            def change():
                """Something in front of, between and behind the rows of every list."""
                letter, code = next(fresh)
                self.open_account(account=f"{mark}-{letter}", tags={"m": {"value": mark}})
                for account in accounts[-2:]:
                    self.done(self.command(account, "freeze"))
                    self.ok(self.client.put(self.path(account, "/tags/m"), {"value": "new"}))
                for tag in ("t0" + letter, "t4", "u" + letter):
                    self.ok(self.client.put(self.path(accounts[0], f"/tags/{tag}"),
                                            {"value": letter}))
                for name in (code, "SEK"):
                    self.ok(self.client.put(f"/v1/catalogue/currencies/{name}",
                                            {"minimum_top_up": str(ord(letter))}))
                self.done(self.client.post("/v1/keys", {"roles": ["auditor"], "name": letter}))

            with self.subTest(target):
                joint = "&" if "?" in target else "?"
                whole = self.ok(self.client.get(f"{target}{joint}limit=1000")).json
                self.assertGreaterEqual(len(whole["data"]), 4)
                rows, positions = self.walk(target, change, max(1, len(whole["data"]) // 3))
                self.assertEqual(rows, whole["data"])
                self.assertEqual(set(positions), {whole["position"]})
                then = self.ok(self.client.get(
                    f"{target}{joint}limit=1000&as_of_position={whole['position']}")).json
                self.assertEqual(then["data"], whole["data"])

    def test_the_pages_of_the_log_end_where_the_first_one_stood(self):
        self.steps(4)
        head = self.ok(self.client.get("/v1/events?limit=1000")).json
        grown = self.open_account()
        rows, positions = self.walk("/v1/events", lambda: self.top_up(grown, "1.00"), 5, "after")
        self.assertEqual(len(set(positions)), 1)
        self.assertEqual(rows[:len(head["data"])], head["data"])
        self.assertEqual(rows[-1]["position"], positions[0])

    def test_every_list_goes_back_in_time_and_not_before_its_time(self):
        account, opened, answers = self.steps(2)
        middle = answers[0]
        self.ok(self.client.put("/v1/catalogue/currencies/PLN", {"minimum_top_up": "1"}))
        for point in (f"as_of={middle['recorded_at']}", f"as_of_position={middle['position']}"):
            rows = self.ok(self.client.get(f"/v1/accounts?limit=1000&{point}")).json["data"]
            then = {row["id"]: row["version"] for row in rows}
            self.assertEqual(then[account], middle["version"])
            log = self.ok(self.client.get(f"/v1/events?limit=1000&{point}")).json
            self.assertEqual(log["position"], middle["position"])
            lines = self.ok(self.client.get(f"/v1/events?{point}", headers={
                "Accept": "application/x-ndjson"}))
            self.assertEqual([row["id"] for row in lines.items][-1], middle["id"])
            entry = self.ok(self.client.get(f"/v1/catalogue/currencies/PLN?{point}")).json
            self.assertNotIn("minimum_top_up", entry)
            keys = self.ok(self.client.get(f"/v1/keys?{point}"))
            self.assertTrue(keys.json["data"])
            self.assertEqual(keys.position, middle["position"])
            self.problem(self.client.get(f"/v1/events?{point}", headers={
                "Accept": "text/event-stream"}), 422, "validation",
                parameter=point.split("=")[0])
        early = shift(opened["recorded_at"], days=-1)
        future = shift(opened["recorded_at"], days=1)
        for target in ("/v1/accounts", "/v1/events", "/v1/keys", "/v1/settings",
                       "/v1/catalogue/currencies", "/v1/catalogue/currencies/PLN"):
            with self.subTest(target):
                self.problem(self.client.get(f"{target}?as_of={early}"), 404, "not-yet")
                self.problem(self.client.get(f"{target}?as_of={future}"), 422, "validation",
                             parameter="as_of")
                self.problem(self.client.get(f"{target}?as_of_position=7.0:0"), 410, "gone")
                self.problem(self.client.get(f"{target}?min_position=x"), 400,
                             "malformed-position")

    def test_what_an_answer_shows_is_what_counts_at_the_position_it_names(self):
        accounts = [self.open_account() for _ in range(4)]
        stop = threading.Event()

        def write(account):
            with contextlib.closing(self.server.client()) as client:
                while not stop.is_set():
                    self.done(client.post("/v1/batch", {"commands": [
                        {"method": "POST", "path": self.path(account, "/top-ups"),
                         "idempotency_key": new_id("k"), "body": {"amount": money("0.01")}}
                        for _ in range(200)]}, key=None), 200)

        writers = [threading.Thread(target=write, args=(account,)) for account in accounts]
        for writer in writers:
            writer.start()
        seen = []
        try:
            for n in range(120):
                account = accounts[n % 4]
                seen.append((account, self.ok(self.client.get(self.path(account, "/balance")))))
                seen.append((None, self.ok(self.client.get("/v1/accounts?limit=1000"))))
        finally:
            stop.set()
            for writer in writers:
                writer.join(timeout=30)
        for account, shown in seen:
            target = "/v1/accounts?limit=1000&" if account is None else self.path(
                account, "/balance?")
            then = self.ok(self.client.get(f"{target}as_of_position={shown.position}")).json
            rows = "data" if account is None else "balances"
            self.assertEqual(then[rows], shown.json[rows], (account, shown.position))

    def test_pages_of_every_size_give_the_same_rows(self):
        account, _, _ = self.steps(9)
        whole = self.transactions(account)
        self.assertEqual(len(whole), 9)
        for limit in (1, 2, 3, 8, 9, 10):
            self.assertEqual(self.pages(self.path(account, "/transactions"), limit), whole)
            self.assertEqual(len(self.pages(self.path(account, "/events"), limit)), 10)

    def test_the_default_page_has_fifty_rows(self):
        account = self.open_account()
        self.ok(self.client.post("/v1/batch", {"commands": [
            {"method": "POST", "path": self.path(account, "/top-ups"), "idempotency_key": f"{n}",
             "body": {"amount": money("0.01")}} for n in range(60)]}, key=None))
        page = self.ok(self.client.get(self.path(account, "/transactions"))).json
        self.assertEqual((len(page["data"]), page["has_more"]), (50, True))

    # -- statements

    def test_statements_join_without_a_gap_whatever_was_backdated(self):
        account = self.open_account()
        base = "2026-{:02d}-{:02d}T12:00:00Z"
        rows = [("100.00", 1, 5), ("-7.50", 2, 1), ("-0.000000000001", 2, 20), ("-3.00", 1, 31),
                ("20.00", 3, 1), ("-1.25", 2, 20)]
        for amount, month, day in rows:
            self.done(self.command(account, "adjustments", {
                "amount": money(amount), "reason": "history",
                "effective_at": base.format(month, day)}))
        edges = [f"2026-{month:02d}-01T00:00:00Z" for month in (1, 2, 3, 4)]
        position = self.ok(self.client.get(self.path(account, "/balance"))).json["position"]
        closing = Decimal(0)
        count = 0
        for begin, end in zip(edges, edges[1:]):
            statement = self.ok(self.client.get(self.path(
                account, f"/statement?currency=USD&from={begin}&to={end}"
                f"&as_of_position={position}"))).json
            self.assertEqual(Decimal(statement["opening"]["amount"]), closing)
            running = closing
            for line in statement["lines"]:
                self.assertGreaterEqual(line["effective_at"], begin.replace("Z", ".000000Z"))
                self.assertLess(line["effective_at"], end.replace("Z", ".000000Z"))
                running += Decimal(line["amount"]["amount"])
                count += 1
            closing = Decimal(statement["closing"]["amount"])
            self.assertEqual(running, closing)
            self.assertEqual(statement["position"], position)
        self.assertEqual(count, len(rows))
        self.assertEqual(closing, sum(Decimal(amount) for amount, _, _ in rows))
        self.assert_balance(account, balance="108.249999999999")

    def test_the_bounds_of_a_statement_are_half_open(self):
        account = self.open_account()
        for day in (1, 2):
            self.done(self.command(account, "adjustments", {
                "amount": money("1.00"), "reason": "edge",
                "effective_at": f"2026-01-0{day}T00:00:00Z"}))
        statement = self.ok(self.client.get(self.path(
            account, "/statement?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"))).json
        self.assertEqual(len(statement["lines"]), 1)
        self.assertEqual((statement["opening"], statement["closing"]),
                         (money("0.00"), money("1.00")))

    def test_a_statement_in_a_currency_without_rows_is_zero(self):
        account = self.open_account()
        statement = self.ok(self.client.get(self.path(account, "/statement?currency=EUR"))).json
        self.assertEqual((statement["opening"], statement["lines"], statement["closing"]),
                         (money("0.00", "EUR"), [], money("0.00", "EUR")))

    # -- If-Match

    def test_if_match_guards_every_write(self):
        account = self.open_account()
        shown = self.ok(self.client.get(self.path(account)))
        tag = {"If-Match": shown.header("ETag")}
        body = {"amount": money("1.00")}
        first = self.done(self.command(account, "top-ups", body, headers=tag))
        self.assertEqual(first.header("ETag"), f'"{first.event["version"]}"')
        stale = self.problem(self.command(account, "top-ups", body, headers=tag),
                             412, "precondition-failed")
        self.assertEqual(stale.json.get("current_version"), 2)
        limit = {"amount": money("1.00"), "reason": "x"}
        self.problem(self.client.put(self.path(account, "/credit-limit"), limit, headers=tag),
                     412, "precondition-failed")
        self.problem(self.client.put(self.path(account, "/tags/a"), {"value": "b"}, headers=tag),
                     412, "precondition-failed")
        self.assertEqual(self.version(account), 2)
        fresh = {"If-Match": '"2"'}
        self.ok(self.client.put(self.path(account, "/tags/a"), {"value": "b"}, headers=fresh))
        self.problem(self.client.delete(self.path(account, "/tags/a"), headers=fresh),
                     412, "precondition-failed")

    def test_of_concurrent_writes_with_one_version_one_wins(self):
        account = self.open_account()
        answers = self.at_once([lambda: self.command(
            account, "top-ups", {"amount": money("1.00")}, headers={"If-Match": '"1"'})] * 8)
        self.assertEqual(sorted(answer.status for answer in answers), [201] + [412] * 7)
        self.assert_balance(account, balance="1.00")
