"""Bad input: every answer is the right problem, and nothing changes."""

import glob
import http.client
import json
import os
import socket
import time

from contract import CONTRACT_FILE, load_json
from daybook import AUTO, CONTRACT, LedgerCase, money, new_id, test_data

COMMAND_LIMIT = 64 * 1024
BATCH_LIMIT = 16 * 1024 * 1024


class BodyTest(LedgerCase):

    def setUp(self):
        super().setUp()
        self.account = self.open_account()
        self.top_up(self.account, "100.00")
        self.before = self.version(self.account)

    def assert_unchanged(self):
        self.assertEqual(self.version(self.account), self.before)

    def send(self, raw, what="charges", **kwargs):
        return self.client.post(self.path(self.account, f"/{what}"), raw=raw, **kwargs)

    def test_what_is_not_json_is_400(self):
        good = b'{"amount":{"amount":"1.00","currency":"USD"}}'
        for raw in (b"", b" ", b"{", b"}", b"[1", b"nul", b"{'a':1}", b'{"a":1,}', b"[1,]",
                    b'{"a"}', b'{"a":}', b"01", b"+1", b".5", b"1.", b"NaN", b"Infinity", b"-",
                    b'"\t"', b'"\\x41"', b'"\\u12g4"', b'"', b"// c\n{}", b"/* c */{}",
                    good + b"x", good + good, good + b"\x00", b"\xef\xbb\xbf" + good,
                    good.decode().encode("utf-16")):
            with self.subTest(raw=raw):
                self.problem(self.send(raw), 400, "malformed-json")
        self.assert_unchanged()

    def test_text_that_is_not_utf8_is_400(self):
        for text in (b"\xff", b"\xc3\x28", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80",
                     b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80",
                     b"\\ud800", b"\\udc00", b"\\ud800x", b"\\udc00\\ud800"):
            with self.subTest(text=text):
                self.problem(self.send(b'{"amount":{"amount":"1.00","currency":"USD"},'
                                       b'"description":"' + text + b'"}'), 400, "malformed-json")
        self.assert_unchanged()

    def test_an_escaped_NUL_in_a_text_or_a_name_is_400(self):
        for body in ({"amount": money("1\u0000")}, {"amount": money("1.00"), "a\u0000": 1},
                     {"amount": money("1.00"), "description": "\u0000"},
                     {"amount": money("1.00"), "attributes": {"\u0000": "x"}}):
            with self.subTest(body=body):
                self.problem(self.command(self.account, "charges", body), 400, "malformed-json")
        self.assert_unchanged()

    def test_duplicate_names_are_400_at_every_level(self):
        for raw in (b'{"amount":{"amount":"1.00","currency":"USD"},'
                    b'"amount":{"amount":"1.00","currency":"USD"}}',
                    b'{"amount":{"amount":"1.00","amount":"1.00","currency":"USD"}}',
                    b'{"amount":{"amount":"1.00","currency":"USD"},'
                    b'"attributes":{"a":"1","\\u0061":"2"}}',
                    b'{"x":{"y":1,"y":2}}'):
            with self.subTest(raw=raw):
                self.problem(self.send(raw), 400, "malformed-json")
        self.assert_unchanged()

    def test_nesting_of_32_is_read_and_of_33_is_400(self):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            inner = b"1" if opening != b"[" else b""
            self.problem(self.send(opening * 33 + inner + closing * 33), 400, "malformed-json")
            self.problem(self.send(opening * 1000 + inner + closing * 1000),
                         400, "malformed-json")
            self.problem(self.send(opening * 32 + inner + closing * 32), 422, "validation")

    def test_a_body_of_64_KiB_is_read_and_one_more_byte_is_413(self):
        good = b'{"amount":{"amount":"1.00","currency":"USD"}}'
        fits = good + b" " * (COMMAND_LIMIT - len(good))
        self.done(self.send(fits))
        self.problem(self.send(fits + b" "), 413, "too-large")
        self.assertEqual(self.version(self.account), self.before + 1)

    def test_json_that_is_no_object_is_422(self):
        for raw in (b"[]", b"1", b'"a"', b"null", b"true", b"1.5e3", b"-0"):
            with self.subTest(raw=raw):
                self.problem(self.send(raw), 422, "validation", "")

    def test_amounts_outside_their_grammar_are_422(self):
        for amount in ("", " ", "1.", ".5", "+1", " 1", "1 ", "1,50", "1e3", "1E3", "0x10", "NaN",
                       "Infinity", "--1", "1.2.3", "1_000", "1" * 27, "1.1234567890123", "١",
                       "½", "9" * 400, "0", "0.00", "-0", "-1.00", "-0.000000000001"):
            with self.subTest(amount=amount):
                for what in ("charges", "holds", "top-ups", "payouts"):
                    self.problem(self.command(self.account, what, {"amount": money(amount)}),
                                 422, "validation", "/amount/amount")
        self.assert_unchanged()

    def test_numbers_are_never_amounts(self):
        for number in ("1", "30.25", "1e2", "-0.0", "1E400", "9" * 60, "true", "null", "[]", "{}"):
            with self.subTest(number):
                self.problem(self.send(
                    f'{{"amount":{{"amount":{number},"currency":"USD"}}}}'.encode()),
                    422, "validation", "/amount/amount")
        for number in ("1", "30.25", "null", '"30.25"', "[]"):
            with self.subTest(number):
                self.problem(self.send(f'{{"amount":{number}}}'.encode()),
                             422, "validation", "/amount")
        self.assert_unchanged()

    def test_unknown_currencies_are_422(self):
        for currency in ("", "usd", "US", "USDX", "ZZZ", "XXX", "XAU", "XTS", "U$D", " USD", "€"):
            with self.subTest(currency):
                self.problem(self.charge(self.account, "1.00", currency),
                             422, "validation", "/amount/currency")
                self.problem(self.client.post("/v1/accounts", {"currency": currency}),
                             422, "validation", "/currency")
        for currency in ("usd", "ZZZ", "US"):
            with self.subTest(currency):
                self.problem(self.client.put(f"/v1/catalogue/currencies/{currency}", {}),
                             422, "validation")
                self.problem(self.client.get(
                    self.path(self.account, f"/balance?currency={currency}")), 422, "validation")

    def test_payments_are_whole_minor_units_and_charges_need_not_be(self):
        for amount, currency in (("0.001", "USD"), ("0.5", "JPY"), ("0.0001", "KWD"),
                                 ("1.000000000001", "EUR")):
            with self.subTest(amount=amount, currency=currency):
                self.problem(self.command(self.account, "top-ups", {
                    "amount": money(amount, currency)}), 422, "validation", "/amount/amount")
                self.done(self.charge(self.account, amount, currency, enforce="record"))

    def test_unknown_and_missing_members_are_422_with_their_pointers(self):
        amount = money("1.00")
        for what, body, pointer in (
                ("charges", {"amount": amount, "x": 1}, "/x"),
                ("charges", {"amount": {**amount, "scale": 2}}, "/amount/scale"),
                ("charges", {"amount": amount, "a/b~c": 1}, "/a~1b~0c"),
                ("charges", {"amount": {"amount": "1.00"}}, "/amount/currency"),
                ("charges", {"amount": {"currency": "USD"}}, "/amount/amount"),
                ("charges", {}, "/amount"),
                ("charges", {"amount": amount, "enforce": "maybe"}, "/enforce"),
                ("charges", {"amount": amount, "description": 7}, "/description"),
                ("charges", {"amount": amount, "attributes": {"a": 1}}, "/attributes/a"),
                ("charges", {"amount": amount, "attributes": []}, "/attributes"),
                ("charges", {"amount": amount, "effective_at": "yesterday"}, "/effective_at"),
                ("charges", {"amount": amount, "effective_at": "2026-02-30T00:00:00Z"},
                 "/effective_at"),
                ("charges", {"amount": amount, "effective_at": "9999-01-01T00:00:00Z"},
                 "/effective_at"),
                ("top-ups", {"amount": amount, "enforce": "strict"}, "/enforce"),
                ("top-ups", {"amount": amount, "provider_payment_id": "x"}, "/provider"),
                ("holds", {"amount": amount, "expires_at": 5}, "/expires_at"),
                ("refunds", {"charge": "not-an-id", "reason": "x"}, "/charge"),
                ("refunds", {"reason": "x"}, "/charge"),
                ("credit-notes", {"amount": amount}, "/reason"),
                ("usage-facts", {"attributes": {"a": None}}, "/attributes/a"),
                ("freeze", {"because": "x"}, "/because")):
            with self.subTest(what=what, body=body):
                self.problem(self.command(self.account, what, body), 422, "validation", pointer)
        for body, pointer in (({"amount": money("-1.00"), "reason": "x"}, "/amount/amount"),
                              ({"amount": amount}, "/reason"),
                              ({"reason": "x"}, "/amount")):
            with self.subTest(body=body):
                self.problem(self.client.put(self.path(self.account, "/credit-limit"), body),
                             422, "validation", pointer)
        for body, pointer in (({}, "/currency"), ({"currency": "USD", "mode": "free"}, "/mode"),
                              ({"currency": "USD", "balance": "5"}, "/balance"),
                              ({"currency": "USD", "tags": {"a": "b"}}, "/tags/a")):
            with self.subTest(body=body):
                self.problem(self.client.post("/v1/accounts", body), 422, "validation", pointer)
        self.assert_unchanged()

    def test_every_wrong_member_is_named(self):
        answer = self.command(self.account, "charges", {
            "amount": {"amount": 1, "currency": "ZZZ"}, "x": 1})
        pointers = {error.get("pointer") for error in answer.json["errors"]}
        self.problem(answer, 422, "validation")
        self.assertTrue(pointers & {"/amount/amount", "/amount/currency", "/x"}, pointers)

    def test_lengths_count_bytes(self):
        for size, status in ((1024, 201), (1025, 422)):
            self.assertEqual(self.charge(self.account, "0.01", description="d" * size).status,
                             status)
        self.problem(self.charge(self.account, "0.01", description="ü" * 512 + "x"),
                     422, "validation", "/description")

    def test_attributes_have_limits_and_no_control_characters(self):
        def note(attributes):
            return self.command(self.account, "usage-facts", {"attributes": attributes})

        for attributes in ({f"n{n}": "" for n in range(64)}, {"n" * 64: "v" * 1024},
                           {f"{n}": "v" * 1023 for n in range(8)}):
            self.done(note(attributes))
        for attributes, pointer in (
                ({f"n{n}": "" for n in range(65)}, "/attributes"),
                ({"n" * 65: ""}, "/attributes/" + "n" * 65), ({"": "v"}, "/attributes/"),
                ({"é" * 32 + "n": ""}, "/attributes/" + "é" * 32 + "n"),
                ({"n": "v" * 1025}, "/attributes/n"), ({"n": "a\nb"}, "/attributes/n"),
                ({"a\tb": "v"}, "/attributes/a\tb"), ({"n": "\u007f"}, "/attributes/n"),
                ({f"{n}": "v" * 1024 for n in range(8)}, "/attributes")):
            with self.subTest(pointer[:40]):
                self.problem(note(attributes), 422, "validation", pointer)
        self.assertEqual(self.version(self.account), self.before + 3)

    def test_members_that_other_commands_have_are_unknown(self):
        amount = money("1.00")
        hold = self.done(self.command(self.account, "holds", {"amount": amount})).event["id"]
        for what, body, extra in (
                ("holds", {"amount": amount}, {"attributes": {}}),
                (f"holds/{hold}/capture", {}, {"effective_at": "2026-01-01T00:00:00Z"}),
                ("credit-notes", {"amount": amount, "reason": "x"}, {"description": "x"}),
                ("credit-notes", {"amount": amount, "reason": "x"}, {"attributes": {}}),
                ("adjustments", {"amount": amount, "reason": "x"}, {"service": "101"}),
                ("payouts", {"amount": amount}, {"reason": "x"})):
            with self.subTest(what=what, extra=extra):
                self.problem(self.command(self.account, what, {**body, **extra}), 422,
                             "validation", "/" + next(iter(extra)))
        self.problem(self.client.post("/v1/accounts", {
            "currency": "USD", "tags": {"a": {"value": "b", "extra": "c"}}}),
            422, "validation", "/tags/a/extra")
        self.assertEqual(self.version(self.account), self.before + 1)

    def test_what_looks_like_a_card_number_is_422_and_ids_are_not(self):
        for text in ("4111111111111111", "paid with 5555 5555 5555 4444", "378282246310005."):
            with self.subTest(text):
                self.problem(self.charge(self.account, "0.01", description=text),
                             422, "card-data-rejected", "/description")
        self.assert_unchanged()
        for text in ("cfdafa8732f5402389287148f455fff5", "41111111-1111-1111-aaaa-111111111111",
                     "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0e9801d1", "4111111111111112"):
            with self.subTest(text):
                self.done(self.charge(self.account, "0.01", description=text))

    def test_many_names_and_long_texts_are_refused_quickly(self):
        began = time.monotonic()
        many = json.dumps({f"k{n}": 0 for n in range(5000)}).encode()
        self.assertLess(len(many), COMMAND_LIMIT)
        self.problem(self.send(many), 422, "validation")
        self.problem(self.charge(self.account, "1.00", description="x" * 60000),
                     422, "validation", "/description")
        self.assertLess(time.monotonic() - began, 5)

    def test_the_json_test_suite(self):
        folder = test_data()
        if folder is None:
            self.skipTest("DAYBOOK_TEST_DATA is not set")
        files = sorted(glob.glob(os.path.join(folder, "json", "test_parsing", "*.json")))
        self.assertGreater(len(files), 300)
        target = self.path("x", "/charges")
        with_nul = ("y_object_escaped_null_in_key", "y_string_null_escape")
        for path in files:
            name = os.path.basename(path)
            with self.subTest(name):
                with open(path, "rb") as file:
                    raw = file.read()
                response = self.client.post(target, raw=raw)
                if len(raw) > COMMAND_LIMIT:
                    self.problem(response, 413, "too-large")
                elif name.startswith(("n_", "y_object_duplicated_key", *with_nul)):
                    self.problem(response, 400, "malformed-json")
                elif name.startswith(("y_", "i_number_")):  # JSON, though no charge
                    self.problem(response, 422, "validation")
                else:  # what is left to the reader: no Unicode, a byte order mark, 500 levels
                    self.problem(response, 400, "malformed-json")


class ParameterTest(LedgerCase):

    def setUp(self):
        super().setUp()
        self.account = self.open_account()

    def test_query_values_outside_their_grammar_are_422(self):
        for rest, name in (("/transactions?limit=0", "limit"), ("/transactions?limit=1001", "limit"),
                           ("/transactions?limit=abc", "limit"), ("/transactions?limit=", "limit"),
                           ("/transactions?limit=-1", "limit"), ("/transactions?limit=1.5", "limit"),
                           ("/transactions?limit=99999999999999999999", "limit"),
                           ("/balance?as_of=yesterday", "as_of"),
                           ("/balance?as_of=2026-13-01T00:00:00Z", "as_of"),
                           ("/balance?as_of=", "as_of"),
                           ("/balance?effective_at=2026-01-01", "effective_at"),
                           ("/balance?as_of=2026-01-01T00:00:00%2B00:00", "as_of"),
                           ("/balance?as_of=2026-01-01%2000:00:00Z", "as_of"),
                           ("/balance?as_of=2026-01-01T00:00:00.1234567Z", "as_of"),
                           ("/balance?currency=usd", "currency"),
                           ("/statement?from=x", "from"), ("/statement?to=x", "to"),
                           ("/balance?nonsense=1", "nonsense")):
            with self.subTest(rest):
                self.problem(self.client.get(self.path(self.account, rest)), 422, "validation",
                             parameter=name)
        for query, name in (("status=asleep", "status"), ("tag[a.b]=x", "tag[a.b]"),
                            ("tag[]=x", "tag[]"), (f"tag[{'t' * 33}]=x", f"tag[{'t' * 33}]"),
                            (f"tag[env]={'x' * 257}", "tag[env]"),
                            ("tag[env]=a&tag[env]=b", "tag[env]"), ("tag=x", "tag")):
            with self.subTest(query):
                self.problem(self.client.get("/v1/accounts?" + query), 422, "validation",
                             parameter=name)

    def test_a_statement_that_ends_before_it_begins_is_422(self):
        self.problem(self.client.get(self.path(
            self.account, "/statement?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z")),
            422, "validation")

    def test_path_values_outside_their_grammar_are_422(self):
        event = "0f8fad5b-d9cb-869f-a165-70867728950e"
        for method, path, name in (
                *(("GET", path, "account") for path in (
                    "/v1/accounts/.a/balance", "/v1/accounts/a%20b/balance",
                    "/v1/accounts/a@example.org/balance", "/v1/accounts/a%40b",
                    "/v1/accounts/" + "x" * 129, "/v1/accounts/%C3%A4")),
                ("POST", f"/v1/accounts/.a/holds/{event}/release", "account"),
                ("GET", self.path(self.account, "/services/.s/tags"), "service"),
                ("DELETE", self.path(self.account, "/services/.s/tags/a"), "service"),
                ("DELETE", self.path(self.account, "/tags/a.b"), "tag"),
                ("PUT", self.path(self.account, "/tags/" + "t" * 33), "tag"),
                ("PUT", self.path(self.account, "/tags/password"), "tag"),
                ("POST", self.path(self.account, "/holds/x/capture"), "hold"),
                ("POST", self.path(self.account, f"/holds/{event.upper()}/release"), "hold"),
                ("POST", self.path(self.account, f"/top-ups/{event}0/reverse"), "event"),
                ("POST", "/v1/accounts/absent/top-ups/x/reverse", "event"),
                ("DELETE", "/v1/keys/a%20b", "key"), ("DELETE", "/v1/keys/" + "k" * 129, "key"),
                ("GET", "/v1/catalogue/currencies/usd", "code"),
                ("GET", "/v1/catalogue/currencies/XTS", "code"),
                ("PUT", "/v1/catalogue/currencies/ZZZ", "code")):
            with self.subTest(path):
                body = {"value": "x"} if "/tags/" in path and method == "PUT" else None
                key = AUTO if method == "POST" else None
                self.problem(self.client.request(method, path, body, key), 422, "validation",
                             parameter=name)

    def test_bad_cursors_and_positions_are_400(self):
        for rest in ("/transactions?cursor=x", "/transactions?cursor=", "/events?cursor=AAAA",
                     "/transactions?cursor=" + "A" * 500):
            with self.subTest(rest):
                self.problem(self.client.get(self.path(self.account, rest)), 400,
                             "malformed-cursor")
        for value in ("x", "", "0", "0:", ":0", "0:-1", "0:01", "0:1.5", "-0:1", "1:2:3", "0x0:1",
                      "0:99999999999999999999999", "0:1%20"):
            for name in ("min_position", "as_of_position"):
                with self.subTest(name=name, value=value):
                    self.problem(self.client.get(
                        self.path(self.account, f"/balance?{name}={value}")), 400,
                        "malformed-position")

    def test_a_position_of_another_generation_is_410(self):
        for name in ("min_position", "as_of_position"):
            self.problem(self.client.get(self.path(self.account, f"/balance?{name}=7.0:0")),
                         410, "gone")

    def test_a_cursor_of_another_list_or_account_is_400(self):
        other = self.open_account()
        for account in (self.account, other):
            for _ in range(3):
                self.top_up(account, "1.00")
        cursor = self.ok(self.client.get(self.path(
            self.account, "/transactions?limit=1"))).json["next"]
        self.assertTrue(cursor)
        for target in (self.path(other, f"/transactions?cursor={cursor}"),
                       self.path(self.account, f"/events?cursor={cursor}")):
            self.problem(self.client.get(target), 400, "malformed-cursor")
        broken = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
        self.problem(self.client.get(self.path(self.account, f"/transactions?cursor={broken}x")),
                     400, "malformed-cursor")

    def test_idempotency_keys_outside_their_grammar_are_400(self):
        target = self.path(self.account, "/top-ups")
        body = {"amount": money("1.00")}
        for key in (None, "", "x" * 256, "a b", "a\tb", "\u00e9"):
            with self.subTest(key=key):
                headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
                self.problem(self.client.post(target, body, key=None, headers=headers),
                             400, "malformed-idempotency-key")
        self.done(self.client.post(target, body, key="x" * 255))
        self.done(self.client.post(target, body, key="!~"))
        self.assert_balance(self.account, balance="2.00")

    def test_if_match_outside_its_grammar_is_refused(self):
        for value in ("1", '"x"', "", '"1', '"-1"', '""', "*", 'W/"1"', '"1", "2"'):
            with self.subTest(value):
                self.problem(self.command(self.account, "top-ups", {"amount": money("1.00")},
                                          headers={"If-Match": value}), 400, "malformed-header")
        self.assert_balance(self.account, balance="0.00")


class GateTest(LedgerCase):
    """What is decided before there is a route. Raw bytes on connections of their own."""

    def setUp(self):
        super().setUp()
        self.account = self.open_account()
        self.authorization = f"Authorization: Bearer {self.server.admin_key}\r\n"

    def send(self, request, **kwargs):
        data = request if isinstance(request, bytes) else request.encode("latin-1")
        response, closed = self.client.raw_exchange(data, **kwargs)
        if response.status >= 400:
            kind = (response.header("Content-Type") or "").split(";")[0]
            self.assertEqual(CONTRACT.problem_errors(response.status, kind, response.body), [],
                             repr(response))
        return response, closed

    def get(self, target="/v1/accounts", version="HTTP/1.1", host="Host: localhost\r\n", more=""):
        return self.send(f"GET {target} {version}\r\n{host}{self.authorization}{more}\r\n")

    def post(self, headers, body=b"", target=None):
        target = target or self.path(self.account, "/top-ups")
        head = (f"POST {target} HTTP/1.1\r\nHost: localhost\r\n{self.authorization}"
                f"Content-Type: application/json\r\n{headers}\r\n")
        return self.send(head.encode("latin-1") + body)

    BODY = b'{"amount":{"amount":"1.00","currency":"USD"}}'

    def test_a_good_request_passes(self):
        response, _ = self.get()
        self.assertEqual(response.status, 200)
        response, _ = self.post(f"Idempotency-Key: k\r\nContent-Length: {len(self.BODY)}\r\n",
                                self.BODY)
        self.assertEqual(response.status, 201, repr(response))

    def test_any_transfer_encoding_is_411_and_closes(self):
        chunks = b"2d\r\n" + self.BODY + b"\r\n0\r\n\r\n"
        for value in ("chunked", "Chunked", "gzip, chunked", "identity", "xchunked", "chunked "):
            with self.subTest(value):
                response, closed = self.post(
                    f"Idempotency-Key: k1\r\nTransfer-Encoding: {value}\r\n", chunks)
                self.assertEqual(response.status, 411, repr(response))
                self.assertTrue(closed)
                response, closed = self.post(
                    "Idempotency-Key: k1\r\n"
                    f"Content-Length: 5\r\nTransfer-Encoding: {value}\r\n", chunks)
                self.assertIn(response.status, (400, 411), repr(response))
                self.assertTrue(closed)
        self.assert_balance(self.account, balance="0.00")

    def test_bad_framing_is_400_and_closes(self):
        for headers in ("Content-Length: 45\r\nContent-Length: 45\r\n",
                        "Content-Length: 45\r\nContent-Length: 46\r\n",
                        "Content-Length: 45, 45\r\n", "Content-Length: -1\r\n",
                        "Content-Length: +45\r\n", "Content-Length: 0x2d\r\n",
                        "Content-Length: 4 5\r\n", "Content-Length:\r\n",
                        "Content-Length: 45\r\nBad Header: x\r\n",
                        "Content-Length: 45\r\nX: a\r\n folded\r\n",
                        "Content-Length: 45\r\nX : a\r\n",
                        "Content-Length: 45\r\nX: a\x00b\r\n"):
            with self.subTest(headers):
                response, closed = self.post("Idempotency-Key: k2\r\n" + headers, self.BODY)
                self.assertEqual(response.status, 400, repr(response))
                self.assertIn(response.slug, ("malformed-framing", "malformed-header"))
                self.assertTrue(closed)
        self.assert_balance(self.account, balance="0.00")

    def test_a_missing_or_repeated_host_is_400(self):
        for host in ("", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"):
            with self.subTest(host):
                response, _ = self.get(host=host)
                self.assertEqual(response.status, 400)

    def test_repeated_authorization_content_type_and_key_are_400(self):
        for header in (self.authorization, "Content-Type: application/json\r\n",
                       "Idempotency-Key: k3\r\n"):
            with self.subTest(header.split(":")[0]):
                response, _ = self.post(
                    f"Idempotency-Key: k3\r\n{header}Content-Length: {len(self.BODY)}\r\n",
                    self.BODY)
                self.assertEqual(response.status, 400, repr(response))
        self.assert_balance(self.account, balance="0.00")

    def test_only_http_1_1_is_spoken(self):
        for version in ("HTTP/1.0", "HTTP/2.0"):
            with self.subTest(version):
                response, closed = self.get(version=version)
                self.assertEqual(response.status, 505, repr(response))
                self.assertTrue(closed)

    def test_ill_formed_targets_are_400(self):
        for target in ("/v1//accounts", "/v1/../v1/accounts", "/v1/./accounts", "/v1/accounts/%00",
                       "/v1/accounts/%zz", "/v1/accounts/%4", "/v1/acc\xe4", "accounts",
                       "http://elsewhere.example/v1/accounts"):
            with self.subTest(target):
                response, _ = self.get(target)
                self.assertEqual(response.status, 400, repr(response))

    def test_long_targets_and_headers_are_refused(self):
        response, _ = self.get("/v1/accounts?cursor=" + "x" * 2100)
        self.assertEqual(response.status, 414, repr(response))
        response, _ = self.get(more="X: " + "y" * 9000 + "\r\n")
        self.assertEqual(response.status, 431, repr(response))
        response, _ = self.get(more="".join(f"X-{n}: y\r\n" for n in range(70)))
        self.assertEqual(response.status, 431, repr(response))

    def test_a_body_on_GET_is_400(self):
        response, _ = self.send(f"GET /v1/accounts HTTP/1.1\r\nHost: a\r\n{self.authorization}"
                                "Content-Length: 2\r\n\r\n{}")
        self.assertEqual(response.status, 400, repr(response))

    def test_an_unknown_expectation_is_417(self):
        response, _ = self.post(
            f"Idempotency-Key: k4\r\nExpect: magic\r\nContent-Length: {len(self.BODY)}\r\n",
            self.BODY)
        self.assertEqual(response.status, 417, repr(response))

    def test_too_large_bodies_are_413_before_they_are_sent(self):
        began = time.monotonic()
        for target, size in ((None, COMMAND_LIMIT + 1), ("/v1/batch", BATCH_LIMIT + 1),
                             (None, 2 ** 63), (None, 10 ** 30)):
            with self.subTest(target=target, size=size):
                response, closed = self.post(
                    f"Idempotency-Key: k5\r\nContent-Length: {size}\r\n", target=target)
                self.assertIn(response.status, (413,) if size < 2 ** 63 else (400, 413))
                self.assertTrue(closed)
        self.assertLess(time.monotonic() - began, 10)

    def test_a_request_smuggled_behind_a_refusal_is_never_answered(self):
        hidden = (b"POST " + self.path(self.account, "/top-ups").encode() + b" HTTP/1.1\r\n"
                  b"Host: a\r\n" + self.authorization.encode() + b"Idempotency-Key: smuggled\r\n"
                  b"Content-Type: application/json\r\nContent-Length: " +
                  str(len(self.BODY)).encode() + b"\r\n\r\n" + self.BODY)
        for headers in ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                        "Content-Length: 0\r\nContent-Length: 5\r\n",
                        "Transfer-Encoding : chunked\r\nContent-Length: 3\r\n"):
            with self.subTest(headers):
                response, closed = self.post("Idempotency-Key: outer\r\n" + headers,
                                             b"0\r\n\r\n" + hidden)
                self.assertIn(response.status, (400, 411))
                self.assertTrue(closed)
        self.assert_balance(self.account, balance="0.00")

    def test_methods_that_a_path_does_not_have_are_405_with_allow(self):
        for method, target, allowed in (
                ("PATCH", self.path(self.account), {"GET"}),
                ("DELETE", self.path(self.account), {"GET"}),
                ("PUT", "/v1/accounts", {"GET", "POST"}),
                ("GET", self.path(self.account, "/charges"), {"POST"}),
                ("POST", self.path(self.account, "/balance"), {"GET"}),
                ("POST", "/v1/events", {"GET"}), ("GET", "/v1/batch", {"POST"})):
            with self.subTest(method=method, target=target):
                response = self.client.request(method, target)
                self.problem(response, 405, "method-not-allowed")
                allow = {name.strip() for name in response.header("Allow").split(",")}
                self.assertEqual(allow - {"HEAD", "OPTIONS"}, allowed)

    def test_a_method_that_no_path_has_is_405_with_those_that_some_have(self):
        for method in ("BREW", "TRACE", "get"):
            with self.subTest(method):
                response, closed = self.send(f"{method} /version HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual((response.status, closed), (405, False), repr(response))
                self.assertEqual(response.header("Allow"), "GET, HEAD, POST, PUT, DELETE")
        for method in ("OPTIONS", "PATCH"):
            response, _ = self.send(f"{method} /version HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual((response.status, response.header("Allow")), (405, "GET, HEAD"))

    def test_HEAD_answers_as_GET_without_the_body(self):
        for target, more in (("/healthz", {}), ("/version", {}), ("/v1/accounts", {}),
                             (self.path(self.account, "/balance"), {}),
                             ("/v1/events", {"Accept": "text/event-stream"}),
                             ("/v1/accounts/" + new_id("absent"), {}),
                             (self.path(self.account, "/charges"), {})):
            with self.subTest(target):
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
                self.addCleanup(connection.close)
                headers = {"Authorization": f"Bearer {self.server.admin_key}", **more}
                connection.request("HEAD", target, headers=headers)
                head = connection.getresponse()
                self.assertEqual(head.read(), b"")
                connection.request("GET", "/version")  # nothing of a body is left in between
                self.assertEqual(load_json(connection.getresponse().read())["name"], "daybook")
                if "Accept" in more:
                    self.assertEqual(head.getheader("Content-Type"), "text/event-stream")
                    continue
                got = self.client.get(target)
                self.assertEqual(head.status, got.status)
                for name in ("Content-Type", "ETag", "Daybook-Position", "Allow"):
                    self.assertEqual(head.getheader(name), got.header(name))
                if got.status == 200:
                    self.assertEqual(head.getheader("Content-Length"), str(len(got.body)))

    def test_100_continue_is_said_before_a_body_that_will_be_read_and_only_then(self):
        head = (f"POST {self.path(self.account, '/top-ups')} HTTP/1.1\r\nHost: a\r\n"
                f"{self.authorization}Content-Type: application/json\r\nIdempotency-Key: c\r\n"
                f"Expect: 100-continue\r\nContent-Length: {len(self.BODY)}\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall(head)
            self.assertEqual(connection.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(self.BODY)
            self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 201 "))
        self.assert_balance(self.account, balance="1.00")
        for wrong, status in ((head.replace(b"/top-ups", b"/nothing"), 404),
                              (head.replace(b"Bearer d", b"Bearer x"), 401),
                              (head.replace(b"application/json", b"text/plain"), 415)):
            response, closed = self.send(wrong)
            self.assertEqual((response.status, closed), (status, True), repr(response))

    def test_clients_that_are_too_slow_get_408_and_others_do_not_notice(self):
        began = time.monotonic()
        slow = [socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
                for _ in range(20)]
        for n, connection in enumerate(slow):
            self.addCleanup(connection.close)
            connection.sendall(b"GET /version HTTP/1.1\r\nHost: a\r\nX: " if n % 2 else (
                f"POST {self.path(self.account, '/top-ups')} HTTP/1.1\r\nHost: a\r\n"
                f"{self.authorization}Content-Type: application/json\r\nIdempotency-Key: s{n}\r\n"
                "Content-Length: 60000\r\n\r\n{").encode())
        while time.monotonic() - began < 4:  # a byte now and then does not move the deadline
            for connection in slow:
                connection.sendall(b" ")
            started = time.monotonic()
            self.top_up(self.account, "1.00")
            self.assertLess(time.monotonic() - started, 2)
            time.sleep(0.2)
        for n, connection in enumerate(slow):
            answer = connection.recv(1000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), (n, answer[:100]))
            while connection.recv(1000):
                pass  # to the end: the server closes
        self.assertLess(time.monotonic() - began, 15)

    def test_a_content_coding_on_a_request_without_a_body_is_415_too(self):
        response = self.client.get("/version", headers={"Content-Encoding": "gzip"})
        self.problem(response, 415, "unsupported-media-type")
        self.assertEqual(response.header("Accept-Encoding"), "identity")

    def test_unknown_paths_are_404(self):
        for target in ("/", "/v1", "/v1/", "/v1/nonsense", "/v2/accounts", "/v1/accounts/",
                       self.path(self.account, "/nonsense"), self.path(self.account, "/balance/")):
            with self.subTest(target):
                self.problem(self.client.get(target), 404, "not-found")

    def test_unknown_media_types_are_415_and_406(self):
        target = self.path(self.account, "/top-ups")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml",
                     "application/x-ndjson", "application/jsonx",
                     "application/json; charset=iso-8859-1"):
            with self.subTest(kind):
                self.problem(self.client.post(target, raw=self.BODY,
                                              headers={"Content-Type": kind}),
                             415, "unsupported-media-type")
        for coding in ("gzip", "br", "deflate"):
            with self.subTest(coding):
                self.problem(self.client.post(target, raw=self.BODY,
                                              headers={"Content-Encoding": coding}),
                             415, "unsupported-media-type")
        self.assert_balance(self.account, balance="0.00")
        self.done(self.client.post(target, raw=self.BODY, headers={
            "Content-Type": "application/json; version=1; Charset=\"UTF-8\""}))
        for accept in ("application/xml", "text/html", "image/*"):
            with self.subTest(accept):
                self.problem(self.client.get(self.path(self.account, "/balance"),
                                             headers={"Accept": accept}), 406, "not-acceptable")
        for accept in ("*/*", "application/*", "application/json;q=0.5, text/html",
                       "application/json"):
            with self.subTest(accept):
                self.ok(self.client.get(self.path(self.account, "/balance"),
                                        headers={"Accept": accept}))

    def test_pipelined_requests_are_answered_in_order(self):
        count, answers = 20, []  # an answer that is dropped closes the stream it shares
        requests = b"".join(
            f"GET {self.path(self.account, f'/tags?limit={n + 1}')} HTTP/1.1\r\nHost: a\r\n"
            f"{self.authorization}\r\n".encode() if n % 2 == 0 else
            b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(count))
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall(requests)
            stream = connection.makefile("rb")

            class Shared:
                """One buffered stream under all answers, so that nothing read ahead is lost."""

                @staticmethod
                def makefile(_mode):
                    return stream

            for n in range(count):
                answer = http.client.HTTPResponse(Shared(), method="GET")
                answers.append(answer)
                answer.begin()
                length = int(answer.getheader("Content-Length"))
                body = json.loads(stream.read(length))
                self.assertEqual("data" in body, n % 2 == 0, (n, body))

    def test_the_errors_never_show_the_inside(self):
        for response in (self.client.get("/v1/accounts/" + new_id("absent")),
                         self.client.post(self.path(self.account, "/charges"), raw=b"{"),
                         self.client.get("/v1/accounts?limit=x")):
            for secret in (self.server.data, self.server.admin_key, ".cc", "rocksdb"):
                self.assertNotIn(secret.encode(), response.body)
            self.assertEqual(response.header("Cache-Control"), "no-store")


class ProcessTest(LedgerCase):

    def test_the_open_routes_need_no_credential(self):
        anyone = self.client.with_key("")
        for target in ("/healthz", "/readyz", "/version", "/openapi.json", "/docs"):
            with self.subTest(target):
                self.ok(anyone.get(target))
                self.problem(anyone.get(target, headers={"Accept": "image/png"}),
                             406, "not-acceptable")
        self.problem(anyone.get("/metrics"), 401, "unauthenticated")
        self.ok(self.client.get("/metrics"))

    def test_the_served_contract_is_the_one_in_the_repository(self):
        with open(CONTRACT_FILE, "rb") as file:
            self.assertEqual(self.ok(self.client.get("/openapi.json")).json,
                             json.loads(file.read()))

    def test_the_served_contract_has_the_version_of_the_server(self):
        self.assertEqual(self.ok(self.client.get("/openapi.json")).json["info"]["version"],
                         self.ok(self.client.get("/version")).json["version"])

    def test_the_docs_make_no_outside_calls(self):
        page = self.ok(self.client.get("/docs")).body.decode()
        for text in ("https://cdn", "//unpkg", "fonts.googleapis", "src=\"http"):
            self.assertNotIn(text, page)
