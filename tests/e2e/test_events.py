"""The log as JSON pages, NDJSON and an event stream, and the hash that auditors check."""

import hashlib
import http.client
import json
import time

from contract import load_json
from daybook import CONTRACT, LedgerCase, money, new_id

NDJSON = {"Accept": "application/x-ndjson"}


def canonical(value):
    """RFC 8785 for what an event holds: objects, arrays, strings, integers, booleans, null."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + canonical(value[name])
                              for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        raise AssertionError("a float in an event")
    return json.dumps(value, ensure_ascii=False)


class Stream:
    """A text/event-stream connection; every read has a limit."""

    def __init__(self, client, target, last_event_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
        headers = {"Authorization": f"Bearer {client.key}", "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.connection.request("GET", target, headers=headers)
        self.response = self.connection.getresponse()
        self.kind = (self.response.getheader("Content-Type") or "").split(";")[0]

    def next(self):
        """(id, data) of the next event; comments and retry fields are passed over."""
        fields = {}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            line = self.response.readline().decode("utf-8").rstrip("\r\n")
            if line == "":
                if "data" in fields:
                    return fields.get("id"), load_json(fields["data"].encode("utf-8"))
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                fields[name] = fields[name] + "\n" + value if name in fields else value
        raise AssertionError("no event arrived")

    def close(self):
        self.connection.close()


class EventsTest(LedgerCase):

    def history(self):
        account = self.open_account(tags={"env": {"value": "prod"}})
        self.top_up(account, "100.00", description="naïve – \u20ac \U0001f600 \"quoted\" \\ /")
        self.done(self.charge(account, "0.0000008", attributes={
            "z": "1", "a": "\u007e\u0080\u2028", "é": "2", "\ufb33": "3", "\U0001f600": "4"}))
        self.problem(self.charge(account, "1000.00"), 409, "insufficient-funds")
        self.set_limit(account, "5")
        self.done(self.command(account, "freeze", {"reason": "audit"}))
        self.done(self.command(account, "unfreeze"))
        return account

    def test_the_hash_covers_the_canonical_form_without_position_and_hash(self):
        for row in self.events(self.history()):
            bare = {name: value for name, value in row.items() if name not in ("position", "hash")}
            self.assertEqual(hashlib.sha256(canonical(bare).encode()).hexdigest(), row["hash"])

    def test_lines_are_the_rows_of_the_page(self):
        account = self.history()
        rows = self.events(account)
        self.assertEqual([row["version"] for row in rows], list(range(1, len(rows) + 1)))
        lines = self.ok(self.client.get(self.path(account, "/events"), headers=NDJSON))
        self.assertTrue(lines.body.endswith(b"\n"))
        self.assertEqual(lines.items, rows)
        lines = self.ok(self.client.get(self.path(account, "/events?limit=3"), headers=NDJSON))
        self.assertEqual(lines.items, rows[:3])
        whole = self.ok(self.client.get("/v1/events", headers=NDJSON)).items
        self.assertEqual([row for row in whole if row.get("account") == account
                          and row["stream"] == "account"], rows)

    def test_positions_are_the_ones_that_were_answered(self):
        account = self.open_account()
        answers = [self.top_up(account, "1.00") for _ in range(5)]
        rows = self.events(account)[1:]
        self.assertEqual([row["position"] for row in rows], [a.position for a in answers])
        self.assertEqual([row["id"] for row in rows], [a.event["id"] for a in answers])
        self.assertEqual([row["data"] for row in rows], [a.result for a in answers])

    def test_the_whole_log_is_ordered_and_holds_every_stream(self):
        account = self.history()
        self.top_up(account, "1.00", provider="stripe", provider_payment_id=account)
        self.ok(self.client.put("/v1/catalogue/currencies/PLN", {"minimum_top_up": "1"}))
        rows = self.pages("/v1/events", parameter="after")
        places = [int(row["position"].split(":")[1]) for row in rows]
        self.assertEqual(places, sorted(set(places)))
        self.assertEqual([row for row in rows if row.get("account") == account
                          and row["stream"] == "account"], self.events(account))
        kinds = {(row["stream"], row["type"]) for row in rows}
        for kind in (("payment", "PaymentClaimed"), ("tenant", "CurrencySet"),
                     ("account", "AccountOpened")):
            self.assertIn(kind, kinds)
        recorded = [row["recorded_at"] for row in rows]
        self.assertEqual(recorded, sorted(recorded))
        self.assertEqual(len({row["id"] for row in rows}), len(rows))

    def test_after_a_position_comes_what_follows_it(self):
        account = self.open_account()
        answers = [self.top_up(account, "1.00") for _ in range(6)]
        page = self.ok(self.client.get(f"/v1/events?after={answers[2].position}&limit=2")).json
        self.assertEqual([row["position"] for row in page["data"]],
                         [answer.position for answer in answers[3:5]])
        page = self.ok(self.client.get(f"/v1/events?after={answers[-1].position}")).json
        self.assertEqual((page["data"], page["has_more"]), ([], False))

    def test_pages_of_the_log_do_not_shift_while_it_grows(self):
        account = self.open_account()
        start = self.top_up(account, "1.00").position
        for _ in range(5):
            self.top_up(account, "1.00")
        seen, after = [], start
        for _ in range(100):
            page = self.ok(self.client.get(f"/v1/events?after={after}&limit=2")).json
            seen += [row["position"] for row in page["data"]]
            if not page["has_more"]:
                break
            after = page["next"]
            self.top_up(account, "1.00")
        self.assertEqual(len(seen), len(set(seen)))
        self.assertGreaterEqual(len(seen), 5)

    def test_ndjson_of_the_whole_log_runs_to_its_head(self):
        account = self.open_account()
        self.ok(self.client.post("/v1/batch", {"commands": [
            {"method": "POST", "path": self.path(account, "/top-ups"), "idempotency_key": f"{n}",
             "body": {"amount": money("0.01")}} for n in range(1500)]}, key=None))
        lines = self.ok(self.client.get(self.path(account, "/events"), headers=NDJSON)).items
        self.assertEqual(len(lines), 1501)
        lines = self.ok(self.client.get(self.path(account, "/events?limit=7"),
                                        headers=NDJSON)).items
        self.assertEqual([line["version"] for line in lines], list(range(1, 8)))
        whole = self.ok(self.client.get("/v1/events", headers=NDJSON)).items
        self.assertGreater(len(whole), 1501)

    def test_pages_of_ndjson_follow_each_other_by_a_header(self):
        account = self.open_account()
        for _ in range(6):
            self.top_up(account, "0.01")
        for target in (self.path(account, "/events"), "/v1/events"):
            whole = self.ok(self.client.get(target, headers=NDJSON))
            self.assertIsNone(whole.header("Daybook-Next"))
            body, after = b"", None
            while True:
                query = "?limit=3" + (f"&after={after}" if after else "")
                page = self.ok(self.client.get(target + query, headers=NDJSON))
                self.assertLessEqual(len(page.items), 3)
                body += page.body
                after = page.header("Daybook-Next")
                if after is None:
                    break
            self.assertEqual(body, whole.body)

    def test_a_place_behind_the_end_is_refused_and_not_passed_over(self):
        account = self.open_account()
        last = self.ok(self.client.get("/v1/events?limit=1")).position
        generation, at = last.rsplit(":", 1)
        behind = f"{generation}:{int(at) + 1}"
        for target in ("/v1/events", self.path(account, "/events")):
            self.ok(self.client.get(f"{target}?after={last}"))
            self.problem(self.client.get(f"{target}?after={behind}"), 422, "validation")
            for kind in ("text/event-stream", "application/x-ndjson"):
                headers = {"Accept": kind, "Last-Event-ID": behind}
                self.problem(self.client.get(target, headers=headers), 422, "validation")

    def open_stream(self, target, last_event_id=None):
        stream = Stream(self.client, target, last_event_id)
        self.addCleanup(stream.close)
        self.assertEqual(stream.response.status, 200)
        self.assertEqual(stream.kind, "text/event-stream")
        return stream

    def test_an_event_stream_gives_what_is_there_then_what_comes_and_resumes(self):
        account = self.open_account()
        answers = [self.top_up(account, "1.00") for _ in range(3)]
        stream = self.open_stream(f"/v1/events?after={answers[0].position}")
        for answer in answers[1:]:
            place, event = stream.next()
            self.assertEqual(place, answer.position)
            self.assertEqual(event["id"], answer.event["id"])
            self.assertEqual(CONTRACT.component_errors("EventRecord", event), [])
        later = [self.top_up(account, "2.00") for _ in range(3)]
        self.assertEqual([stream.next()[0] for _ in later], [a.position for a in later])
        stream.close()
        last = self.top_up(account, "3.00")
        resumed = self.open_stream("/v1/events", last_event_id=later[1].position)
        self.assertEqual([resumed.next()[0] for _ in range(2)],
                         [later[2].position, last.position])

    def test_an_event_stream_neither_ends_in_the_past_nor_has_pages(self):
        account = self.open_account()
        for target in ("/v1/events", f"/v1/accounts/{account}/events"):
            for name, value in (("limit", "2"), ("as_of", "2020-01-01T00:00:00Z"),
                                ("as_of_position", "0:1")):
                with self.subTest(target=target, name=name):
                    answer = self.client.get(f"{target}?{name}={value}",
                                             headers={"Accept": "text/event-stream"})
                    self.problem(answer, 422, "validation", parameter=name)
                    self.assertIn("a stream of events goes on", repr(answer))

    def test_an_event_stream_of_one_account_shows_only_that_account(self):
        account, other = self.open_account(), self.open_account()
        stream = self.open_stream(self.path(account, "/events"))
        self.assertEqual(stream.next()[1]["type"], "AccountOpened")
        self.top_up(other, "1.00")
        mine = self.top_up(account, "1.00")
        place, event = stream.next()
        self.assertEqual((place, event["account"]), (mine.position, account))

    def test_many_silent_streams_do_not_stop_the_rest(self):
        streams = [self.open_stream("/v1/events") for _ in range(50)]
        account = self.open_account()
        began = time.monotonic()
        for _ in range(20):
            self.top_up(account, "1.00")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(streams), 50)

    def test_a_refused_command_is_seen_with_its_key_and_actor(self):
        account = self.open_account()
        key = new_id("key")
        self.command(account, "charges", {"amount": money("1.00")}, key=key)
        refused = self.events(account, "ChargeRefused")[0]
        self.assertEqual(refused["idempotency_key"], key)
        self.assertEqual(refused["stream"], "account")
        self.assertEqual(refused["data"]["reason"], "insufficient-funds")
