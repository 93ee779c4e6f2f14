"""schemathesis over the published contract, with a key of each role.

$DAYBOOK_SCHEMATHESIS is its program (`scripts/test --full` installs it); without it these tests
are skipped. Settings and hooks: tests/tools/schemathesis.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from contract import ROOT
from daybook import CONTRACT, LedgerCase, Server, money

PROGRAM = os.environ.get("DAYBOOK_SCHEMATHESIS", "")
TOOL = os.path.join(ROOT, "tests", "tools", "schemathesis")
SEED = os.environ.get("DAYBOOK_SCHEMATHESIS_SEED", "1")
EXAMPLES = int(os.environ.get("DAYBOOK_SCHEMATHESIS_EXAMPLES", "12"))
RUN_SECONDS = 3600


@unittest.skipUnless(PROGRAM, "DAYBOOK_SCHEMATHESIS is not set: runs in scripts/test --full")
class SchemathesisTest(LedgerCase):

    limit_seconds = RUN_SECONDS

    def setUp(self):
        # Reads of positions that nobody has reached give up at once.
        self.server = Server(extra=["--read-wait-ms", "20"])
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.kill)
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.place = tempfile.mkdtemp(prefix="daybook-schemathesis-")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        for name in ("schemathesis.toml", "hooks.py"):  # found where it runs
            shutil.copy(os.path.join(TOOL, name), self.place)
        self.known = self.fill()

    def fill(self):
        """A small ledger, and what there is in it by the name of the parameter."""
        accounts = [self.open_account(account=name) for name in ("acme", "zenith")]
        known = {"event": [], "hold": [], "charge": []}
        for account in accounts:
            self.set_limit(account, "1000000.00")
            for _ in range(8):
                known["event"].append(self.top_up(account, "100.00").event["id"])
                known["charge"].append(self.charge(account, "1.00").event["id"])
                hold = self.command(account, "holds", {"amount": money("1.00")})
                known["hold"].append(self.done(hold).event["id"])
            for path in ("/tags/env", "/services/101/tags/env"):
                self.ok(self.client.put(self.path(account, path), {"value": "prod"}))
        last = self.ok(self.client.get("/v1/events?limit=1000")).json["data"][-1]["position"]
        return {**known, "account": accounts, "service": ["101"], "tag": ["env", "team"],
                "currency": ["USD"], "code": ["EUR", "USD"], "min_position": ["0:7", last],
                "as_of_position": ["0:30", last], "after": ["0:3", last]}

    def key_of(self, role):
        body = {"name": role, "roles": [role]}
        if role == "client":
            body["accounts"] = ["acme"]
        return self.done(self.client.post("/v1/keys", body)).result["secret"]

    def schemathesis(self, key, *arguments, document=None):
        """(exit status, its output) of one run."""
        with open(os.path.join(self.place, "openapi.json"), "w", encoding="utf-8") as file:
            json.dump(document or CONTRACT.document, file)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("DAYBOOK_")}
        environment |= {"DAYBOOK_KNOWN": json.dumps(self.known), "COLUMNS": "100"}
        done = subprocess.run(
            [os.path.abspath(PROGRAM), "run", "openapi.json", "--url", self.server.url, "--header",
             f"Authorization: Bearer {key}", "--seed", SEED, "--no-color", *arguments],
            cwd=self.place, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=RUN_SECONDS, check=False)
        return done.returncode, done.stdout + done.stderr

    def check_role(self, role, *arguments):
        status, output = self.schemathesis(self.key_of(role), *arguments)
        self.assertEqual(status, 0, output[-20000:])
        asked = int(re.search(r"(\d+) generated", output)[1])
        print(f"schemathesis as {role}: {asked} requests, none against the contract", flush=True)
        self.assertIn(f"Tested: {len(list(CONTRACT.operations()))}\n", output)
        self.assertGreater(asked, 200)

    def test_an_admin_meets_nothing_that_the_contract_does_not_say(self):
        self.check_role("admin", "--max-examples", str(EXAMPLES))

    def test_the_other_roles_do_not_either(self):
        for role in ("operator", "auditor", "client"):
            with self.subTest(role):
                self.check_role(role, "--max-examples", str(max(1, EXAMPLES // 3)),
                                "--phases", "examples,fuzzing,stateful")

    def test_a_contract_that_says_otherwise_is_found_out(self):
        one = ("--max-examples", "5", "--phases", "examples,fuzzing",
               "--include-operation-id", "getBalance")

        def found(change):
            document = copy.deepcopy(CONTRACT.document)
            change(document, document["paths"]["/v1/accounts/{account}/balance"]["get"])
            status, output = self.schemathesis(self.server.admin_key, *one, document=document)
            return status, re.findall(r"❌ (ST\d+ [A-Z][\w -]+):", output), output

        def without_200(_document, operation):
            operation["responses"]["203"] = operation["responses"].pop("200")

        def another_type(document, operation):
            content = CONTRACT.resolve(operation["responses"]["200"])["content"]
            operation["responses"]["200"] = {"description": "x", "content": {
                "application/xml": content["application/json"]}}

        def another_member(document, _operation):
            document["components"]["schemas"]["AccountBalance"]["required"].append("total")

        self.assertEqual(found(lambda document, operation: None)[0], 0)
        for change in (without_200, another_type, another_member):
            with self.subTest(change.__name__):
                status, names, output = found(change)
                self.assertEqual(status, 1, output[-5000:])
                self.assertEqual(len(names), 1, output[-5000:])
