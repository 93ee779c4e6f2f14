"""Tenants, credentials and roles: who may do what, and who may know what exists."""

import json
import uuid

from daybook import CONTRACT, LedgerCase, money, new_id

ROLES = ("admin", "operator", "auditor", "client")


class TenantsTest(LedgerCase):

    def create_key(self, roles, client=None, **more):
        answer = self.done((client or self.client).post("/v1/keys", {"roles": roles, **more}))
        return answer.result["id"], answer.result["secret"]

    def create_tenant(self):
        tenant = new_id("t")
        answer = self.done(self.client.post("/v1/tenants", {"id": tenant, "name": "Another"}))
        self.assertEqual(answer.event["type"], "TenantCreated")
        self.assertEqual(answer.result["id"], tenant)
        self.assertEqual(answer.result["name"], "Another")
        self.assertEqual(answer.result["key"]["roles"], ["admin"])
        client = self.client.with_key(answer.result["key"]["secret"])
        self.addCleanup(client.close)
        return tenant, client

    @staticmethod
    def roles_of(method, path):
        """Independent statement of the role table; the contract must say the same."""
        if path == "/v1/keys" and method == "GET":
            return {"admin", "auditor"}
        if path in ("/v1/keys", "/v1/tenants", "/v1/keys/{key}"):
            return {"admin"}
        if path in ("/v1/catalogue/currencies/{code}", "/v1/settings") and method == "PUT":
            return {"admin"}
        if path == "/v1/events":
            return {"admin", "auditor"}
        if path.startswith("/v1/catalogue") or path in (
            "/v1/general-ledger",
            "/v1/settings",
            "/metrics",
        ):
            return {"admin", "operator", "auditor"}
        if method == "GET":
            return set(ROLES)
        return {"admin", "operator"}

    def test_the_contract_states_the_role_table(self):
        for method, path, operation in CONTRACT.operations():
            if path.startswith("/v1/") or path == "/metrics":
                self.assertEqual(set(operation["x-daybook-roles"]), self.roles_of(method, path),
                                 f"{method} {path}")
            else:
                self.assertEqual(operation["security"], [])

    def test_every_role_on_every_route(self):
        account = self.open_account()
        clients = {}
        for role in ROLES:
            more = {"accounts": [account]} if role == "client" else {}
            clients[role] = self.client.with_key(self.create_key([role], **more)[1])
            self.addCleanup(clients[role].close)
        nobody = self.client.with_key("")
        self.addCleanup(nobody.close)
        absent = str(uuid.UUID(int=0x8 << 76 | 0x2 << 62))
        bodies = {"openAccount": lambda: {"id": new_id(), "currency": "USD"},
                  "createTenant": lambda: {"id": new_id("t")},
                  "createKey": lambda: {"roles": ["auditor"]},
                  "runBatch": lambda: {"commands": [
                      {"method": "POST", "path": self.path(account, "/top-ups"),
                       "idempotency_key": uuid.uuid4().hex,
                       "body": {"amount": money("0.01")}}]},
                  "setCurrency": lambda: {}, "changeSettings": lambda: {}, "setTag": lambda: {"value": "x"},
                  "setServiceTag": lambda: {"value": "x"},
                  "setCreditLimit": lambda: {"amount": money("1.00"), "reason": "x"},
                  "refund": lambda: {"charge": absent, "reason": "x"},
                  "issueCreditNote": lambda: {"amount": money("0.01"), "reason": "x"},
                  "postAdjustment": lambda: {"amount": money("0.01"), "reason": "x"},
                  "noteUsage": lambda: {"attributes": {"a": "b"}}}
        bodiless = {"closeAccount", "reopenAccount", "freezeAccount", "unfreezeAccount",
                    "reverseTopUp", "captureHold", "releaseHold"}
        for method, path, operation in sorted(CONTRACT.operations(), key=lambda o: (o[1], o[0])):
            if not path.startswith("/v1/") and path != "/metrics":
                continue
            target = path.format(account=account, hold=absent, event=absent, tag="role-tag",
                                 service="101", key="no-such-key", code="USD")
            name = operation["operationId"]
            for role, client in [*clients.items(), ("nobody", nobody)]:
                with self.subTest(operation=name, role=role):
                    body = None
                    if method in ("POST", "PUT") and name not in bodiless:
                        body = bodies.get(name, lambda: {"amount": money("0.01")})()
                    key = None
                    if method == "POST" and name != "runBatch":
                        key = uuid.uuid4().hex
                    response = client.request(method, target, body, key)
                    if role == "nobody":
                        self.problem(response, 401, "unauthenticated")
                    elif role in self.roles_of(method, path):
                        self.assertNotIn(response.status, (401, 403, 405), repr(response))
                        self.assertLess(response.status, 500, repr(response))
                    else:
                        self.problem(response, 403, "forbidden")

    def test_a_client_key_reads_only_the_accounts_it_names(self):
        mine, other = self.open_account(), self.open_account()
        client = self.client.with_key(self.create_key(["client"], accounts=[mine])[1])
        self.addCleanup(client.close)
        for rest in ("", "/balance", "/transactions", "/statement", "/events", "/tags",
                     "/credit-limit"):
            with self.subTest(rest):
                self.ok(client.get(self.path(mine, rest)))
                self.problem(client.get(self.path(other, rest)), 404, "not-found")
        page = self.ok(client.get("/v1/accounts")).json
        self.assertEqual([row["id"] for row in page["data"]], [mine])

    def test_a_client_key_must_name_its_accounts_and_roles_must_be_known(self):
        for body, pointer in (({"roles": ["client"]}, "/accounts"), ({"roles": []}, "/roles"),
                              ({}, "/roles"), ({"roles": ["king"]}, "/roles/0"),
                              ({"roles": ["admin"], "secret": "mine"}, "/secret")):
            with self.subTest(body=body):
                self.problem(self.client.post("/v1/keys", body), 422, "validation", pointer)

    @staticmethod
    def without_request_id(response):
        body = json.loads(response.body)
        body.pop("request_id")
        return response.status, body, sorted(
            name.lower() for name in response.headers), response.header("Content-Type")

    def test_another_tenants_object_looks_exactly_like_an_absent_one(self):
        _, other = self.create_tenant()
        account = new_id()

        def probe():
            amount = {"amount": money("1.00")}
            answers = [self.client.get(self.path(account, rest)) for rest in (
                "", "/balance", "/transactions", "/statement", "/events", "/tags",
                "/credit-limit", "/balance?as_of_position=0:0")]
            answers += [self.command(account, what, amount) for what in
                        ("charges", "top-ups", "holds", "payouts")]
            answers.append(self.command(account, "freeze"))
            answers.append(self.client.put(self.path(account, "/tags/a"), {"value": "b"}))
            answers.append(self.client.delete(self.path(account, "/private")))
            return [self.without_request_id(answer) for answer in answers]

        absent = probe()
        self.done(other.post("/v1/accounts", {"id": account, "currency": "EUR"}))
        self.done(other.post(self.path(account, "/top-ups"), {"amount": money("9.00", "EUR")}))
        self.assertEqual(probe(), absent)
        self.assertEqual({status for status, *_ in absent}, {404})
        self.assertEqual(other.get(self.path(account)).json["version"], 2)
        self.open_account("USD", account)
        self.assert_balance(account, balance="0.00")
        self.assertEqual(other.get(self.path(account)).json["balances"][0]["balance"], "9.00")

    def test_nothing_of_another_tenant_is_in_lists_logs_or_keys(self):
        mine, payment = self.open_account(), new_id("pi")
        self.top_up(mine, "1.00", provider="stripe", provider_payment_id=payment)
        _, other = self.create_tenant()
        theirs = new_id("theirs")
        self.done(other.post("/v1/accounts", {"id": theirs, "currency": "USD"}))
        answer = self.done(other.post(self.path(theirs, "/top-ups"), {
            "amount": money("2.00"), "provider": "stripe",
            "provider_payment_id": payment}))
        self.assertFalse(answer.replayed)
        for client, own, foreign in ((self.client, mine, theirs), (other, theirs, mine)):
            for target in ("/v1/events?limit=1000", "/v1/accounts?limit=1000"):
                body = self.ok(client.get(target)).body
                self.assertIn(own.encode(), body)
                self.assertNotIn(foreign.encode(), body)
            ndjson = self.ok(client.get("/v1/events", headers={"Accept": "application/x-ndjson"}))
            self.assertNotIn(foreign.encode(), ndjson.body)
        self.assertEqual(len(self.ok(other.get("/v1/keys")).json["data"]), 1)
        foreign_hold = self.done(other.post(self.path(theirs, "/holds"), {
            "amount": money("1.00")})).event["id"]
        self.problem(self.command(mine, f"holds/{foreign_hold}/capture"), 404, "not-found")
        self.ok(other.put("/v1/catalogue/currencies/USD", {"default_credit_limit": "77"}))
        self.assert_balance(mine, credit_limit="0.00")

    def test_metrics_of_the_node_are_for_the_first_tenant(self):
        _, other = self.create_tenant()
        self.problem(other.get("/metrics"), 403, "forbidden")
        self.assertEqual(self.client.get("/metrics").status, 200)

    def test_settings_are_replaced_as_a_whole_and_read_back_in_time(self):
        tenant, other = self.create_tenant()
        shown = self.ok(other.get("/v1/settings"))
        self.assertEqual(shown.json, {"tenant": tenant, "name": "Another", "version": 1,
                                      "position": shown.position})
        guard = {"If-Match": shown.header("ETag")}
        renamed = self.ok(other.put("/v1/settings", {"name": "Renamed"}, headers=guard))
        self.assertEqual((renamed.event["type"], renamed.result),
                         ("SettingsChanged", {"name": "Renamed"}))
        self.problem(other.put("/v1/settings", {"name": "Stale"}, headers=guard),
                     412, "precondition-failed")
        self.assertEqual(other.get("/v1/settings").json["name"], "Renamed")
        then = self.ok(other.get(f"/v1/settings?as_of_position={shown.position}")).json
        self.assertEqual((then["name"], then["version"]), ("Another", 1))
        self.assertIsNone(self.ok(other.put("/v1/settings", {"name": "Renamed"})).event)
        keyed = self.ok(other.put("/v1/settings", {"name": "Renamed"}, key="s"))
        self.assertEqual(keyed.event["type"], "NoChange")
        self.ok(other.put("/v1/settings", {}))
        self.assertNotIn("name", other.get("/v1/settings").json)
        for body, pointer in (({"name": ""}, "/name"), ({"name": "x" * 257}, "/name"),
                              ({"colour": "red"}, "/colour")):
            self.problem(other.put("/v1/settings", body), 422, "validation", pointer)
        self.assertNotIn("Another", self.client.get("/v1/settings").json.values())
        self.problem(other.get("/v1/settings?as_of=2020-01-01T00:00:00Z"), 404, "not-yet")

    def test_only_the_first_tenants_admins_create_tenants(self):
        tenant, other = self.create_tenant()
        self.problem(other.post("/v1/tenants", {"id": new_id("t")}), 403, "forbidden")
        self.problem(self.client.post("/v1/tenants", {"id": tenant}), 409, "tenant-exists")

    def test_a_cursor_of_another_tenant_is_refused(self):
        account = self.open_account()
        for _ in range(3):
            self.top_up(account, "1.00")
        cursor = self.ok(self.client.get("/v1/events?limit=1")).json["next"]
        _, other = self.create_tenant()
        self.problem(other.get(f"/v1/events?after={cursor}"), 400, "malformed-cursor")

    def test_a_revoked_key_is_refused_from_the_answer_on(self):
        account = self.open_account()
        for _ in range(5):
            key, secret = self.create_key(["operator"])
            client = self.client.with_key(secret)
            self.addCleanup(client.close)
            self.ok(client.get(self.path(account, "/balance")))
            answer = self.ok(self.client.delete(f"/v1/keys/{key}"))
            self.assertEqual(answer.event["type"], "ApiKeyRevoked")
            self.problem(client.get(self.path(account, "/balance")), 401, "unauthenticated")
            self.problem(client.post(self.path(account, "/top-ups"), {"amount": money("1.00")}),
                         401, "unauthenticated")
        self.assert_balance(account, balance="0.00")

    def test_every_bad_credential_gets_the_same_answer(self):
        key, secret = self.create_key(["auditor"])
        self.ok(self.client.delete(f"/v1/keys/{key}"))
        own = self.server.admin_key
        answers = set()
        for value in (None, "", "Bearer", "Bearer ", "Basic YTpi", f"Bearer {secret}",
                      f"Bearer {own}x", f"Bearer {own[:-1]}", "Bearer " + "x" * 500,
                      f"bearer{own}", f"Bearer {own[:-1]}" + ("a" if own[-1] != "a" else "b")):
            with self.subTest(value=value and value[:12]):
                response = self.client.get("/v1/accounts", headers={"Authorization": value})
                self.problem(response, 401, "unauthenticated")
                answers.add(json.dumps(self.without_request_id(response)))
        self.assertEqual(len(answers), 1)

    def test_keys_are_listed_without_secrets_and_secrets_are_nowhere_in_the_log(self):
        name = new_id("robot")
        key, secret = self.create_key(["auditor", "operator"], name=name)
        rows = {row["id"]: row for row in self.pages("/v1/keys")}
        self.assertEqual(rows[key]["name"], name)
        self.assertEqual(sorted(rows[key]["roles"]), ["auditor", "operator"])
        self.assertNotIn("revoked_at", rows[key])
        log = self.ok(self.client.get("/v1/events", headers={"Accept": "application/x-ndjson"}))
        self.assertNotIn(secret.encode(), log.body)
        self.assertNotIn(self.server.admin_key.encode(), log.body)
        self.ok(self.client.delete(f"/v1/keys/{key}"))
        rows = {row["id"]: row for row in self.pages("/v1/keys")}
        self.assertTrue("revoked_at" not in rows.get(key, {}) or rows[key]["revoked_at"])
        self.problem(self.client.delete("/v1/keys/no-such-key"), 404, "not-found")

    def test_the_actor_of_an_event_is_the_credential(self):
        account = self.open_account()
        key, secret = self.create_key(["operator"])
        client = self.client.with_key(secret)
        self.addCleanup(client.close)
        self.done(client.post(self.path(account, "/top-ups"), {"amount": money("1.00")}))
        mine = self.events(account, "AccountOpened")[0]["actor"]
        theirs = self.events(account, "BalanceToppedUp")[0]["actor"]
        self.assertNotEqual(mine, theirs)
        self.assertIn(key, theirs)
