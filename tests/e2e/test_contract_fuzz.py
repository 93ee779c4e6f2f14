"""Requests made from the contract, and the same with something broken in them, on every operation.

Each answer is held to the contract by the client: no 5xx, no undocumented status, header or body,
and nothing outside the contract is accepted. The seed is in the test's name: the same every time.
"""

import json
import random
import re
import urllib.parse
import uuid

from daybook import CONTRACT, LedgerCase, money, new_id

ROUNDS = 30
BAD_VALUES = (None, True, 0, -1, 1.5, 1e300, 10 ** 40, "", "x", "x" * 5000, "\u0001", "\U0001f600" * 99,
              [], [[]], {}, {"a": {}}, "-0", "1e3", "0x1", "2026-01-31T10:00:00+01:00", "USD",
              "a@b.c", "../x", "4111 1111 1111 1111")
# Strings of the contract's grammars; what is not here is made from lengths.
SAMPLES = {"Currency": ["USD", "EUR", "JPY"], "DecimalInput": ["1", "0.000000000001", "12.34"],
           "TimeInput": ["2026-01-31T10:00:00Z"], "TagName": ["env"], "Provider": ["stripe"]}


class Maker:
    """Values that fit a schema of the contract."""

    def __init__(self, rng, known):
        self.rng = rng
        self.known = known  # By name of the schema: values that exist on the server.

    def value(self, schema, depth=0):
        name = schema.get("$ref", "").rsplit("/", 1)[-1]
        if name in self.known or name in SAMPLES:
            return self.rng.choice(self.known.get(name) or SAMPLES[name])
        schema = CONTRACT.resolve(schema)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.value(self.rng.choice(schema[several]), depth)
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            count = max(schema.get("minItems", 0), self.rng.randint(0, 2))
            values = [self.value(schema["items"], depth + 1) for _ in range(count)]
            return values if not schema.get("uniqueItems") else values[:1]
        if kind == "integer":
            return self.rng.randint(schema.get("minimum", 0), schema.get("maximum", 1000))
        if kind == "boolean":
            return self.rng.random() < 0.5
        return "x" * max(schema.get("minLength", 1), self.rng.randint(1, 9))

    def object(self, schema, depth):
        required = schema.get("required", [])
        made = {name: self.value(part, depth + 1)
                for name, part in schema.get("properties", {}).items()
                if name in required or self.rng.random() < 0.5}
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for _ in range(self.rng.randint(0, 2)):
                made["n" + str(self.rng.randint(0, 99))] = self.value(extra, depth + 1)
        return made


def broken(rng, value):
    """The value with one thing in it changed, added or taken away."""
    places = []

    def walk(node):
        places.append(node)
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, (dict, list)):
                walk(child)

    value = json.loads(json.dumps(value))
    if not isinstance(value, (dict, list)) or rng.random() < 0.05:
        return rng.choice(BAD_VALUES)
    walk(value)
    node = rng.choice(places)
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    what = rng.choice(("change", "change", "add", "remove"))
    if what == "add" or not keys:
        if isinstance(node, dict):
            node["surplus"] = rng.choice(BAD_VALUES)
        else:
            node.append(rng.choice(BAD_VALUES))
    elif what == "remove":
        del node[rng.choice(keys)]
    else:
        node[rng.choice(keys)] = rng.choice(BAD_VALUES)
    return value


class ContractFuzzTest(LedgerCase):

    def known(self):
        account = self.open_account(tags={"env": {"value": "prod"}})
        paid = self.top_up(account, "100.00").event
        charge = self.done(self.charge(account, "1.00")).event
        hold = self.done(self.command(account, "holds", {"amount": money("1.00")})).event
        return {"AccountId": [account, account, account, new_id("absent")],
                "EventId": [paid["id"], charge["id"], hold["id"]],
                "Position": [paid["position"], hold["position"]], "KeyId": ["no-such-key"],
                "TenantId": [new_id("t")], "ServiceId": ["101"], "Cursor": ["AAAA"]}

    def target(self, maker, rng, path, operation, breaks):
        query = {}
        names = {}
        for reference in operation.get("parameters", []):
            parameter = CONTRACT.resolve(reference)
            place, name = parameter["in"], parameter["name"]
            if place == "path":  # one currency is for playing with, the others stay as they are
                names[name] = "SEK" if name == "code" else maker.value(parameter["schema"])
            elif place == "query" and (parameter.get("required") or rng.random() < 0.3):
                value = maker.value(parameter["schema"])
                for key, item in value.items() if isinstance(value, dict) else [("", value)]:
                    query[f"{name}[{key}]" if key else name] = item
        if breaks and rng.random() < 0.3 and (query or names):
            part = query if query and (not names or rng.random() < 0.7) else names
            part[rng.choice(list(part))] = rng.choice(["", "x" * 300, "%", "\u0001", "-1", "1001",
                                                       "2026-13-01T00:00:00Z", "0:", "ä", "a/b"])
        path = re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(str(names[m[1]]), safe=""), path)
        return path + ("?" + urllib.parse.urlencode(query) if query else "")

    def test_no_request_made_from_the_contract_breaks_it_seed_7(self):
        rng = random.Random(7)
        seen = {}
        for round_number in range(ROUNDS):
            maker = Maker(rng, self.known())
            for method, path, operation in sorted(CONTRACT.operations(), key=lambda o: o[:2]):
                name = operation["operationId"]
                if name == "runBatch":
                    continue  # answers 200 whatever an item is: test_batch.py
                breaks = round_number % 3 != 0
                target = self.target(maker, rng, path, operation, breaks)
                raw = None
                content = operation.get("requestBody", {}).get("content", {})
                if "application/json" in content:
                    value = maker.value(content["application/json"]["schema"])
                    if breaks:
                        value = broken(rng, value)
                    raw = json.dumps(value).encode("utf-8")
                keyed = method in ("POST", "PUT", "DELETE") and name != "runBatch"
                key = uuid.UUID(int=rng.getrandbits(128)).hex if keyed else None
                with self.subTest(operation=name, target=target, body=raw and raw[:300]):
                    response = self.client.request(method, target, key=key, raw=raw)
                    self.assertTrue(response.status < 500 or response.status == 503
                                    and response.slug == "projection-lag", repr(response))
                    seen.setdefault(name, set()).add(response.status)
        for _, _, operation in CONTRACT.operations():
            name = operation["operationId"]
            if name != "runBatch":
                self.assertTrue(seen[name] - {400, 404}, f"{name} was never reached: {seen[name]}")
