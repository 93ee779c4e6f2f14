"""Holds every request and every answer of the black-box tests against api/openapi.json.

A request outside the contract may only be answered with 4xx; an answer must have a documented
status, its content type, its required headers and a body that fits the schema. Beyond the schema:
the slug of a problem belongs to its status, and money has the digits of its currency.
"""

import functools
import json
import os
import re
import urllib.parse
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONTRACT_FILE = os.path.join(ROOT, "api", "openapi.json")

# Minor units that are not 2, of the currencies that the tests use.
EXPONENTS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
PROBLEM = "application/problem+json"
# Headers of HTTP itself, which the contract does not list for each answer.
PLAIN_HEADERS = {"cache-control", "connection", "content-length", "content-type", "date",
                 "transfer-encoding"}
# Statuses that the gate gives before there is a route.
GATE_STATUSES = {400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 429, 431, 500, 503, 505}


class ContractViolation(AssertionError):
    """The server or a test broke the published contract."""


def no_duplicates(pairs):
    result = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"duplicate name {name!r}")
        result[name] = value
    return result


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


def load_json(body):
    """JSON as the contract means it: UTF-8, no duplicate names, no NaN."""
    return json.loads(body.decode("utf-8"), object_pairs_hook=no_duplicates,
                      parse_constant=no_constant)


class Contract:
    def __init__(self, path=CONTRACT_FILE):
        with open(path, encoding="utf-8") as file:
            self.document = json.load(file)
        self.problems = self.document["components"]["schemas"]["Problem"]["x-problems"]
        self.routes = []
        for template, methods in self.document["paths"].items():
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
            literal = sum(1 for part in template.split("/") if not part.startswith("{"))
            self.routes.append((literal, re.compile(pattern + "$"), template, methods))
        self.routes.sort(key=lambda route: -route[0])
        self.used = set()

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"][2:].split("/"):
                target = target[part]
            node = target
        return node

    @functools.lru_cache(maxsize=None)
    def _validator(self, text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resolver = jsonschema.RefResolver("", self.document)
            return jsonschema.Draft202012Validator(json.loads(text), resolver=resolver)

    def schema_errors(self, schema, value, where):
        validator = self._validator(json.dumps(schema))
        errors = []
        for error in validator.iter_errors(value):
            path = "".join(f"/{part}" for part in error.absolute_path)
            errors.append(f"{where}{path}: {error.message[:300]}")
        return errors

    def component_errors(self, name, value, where="value"):
        return self.schema_errors({"$ref": f"#/components/schemas/{name}"}, value, where)

    def operation(self, method, target):
        """(operation or None, path parameters, whether the path is known)."""
        path = target.split("?", 1)[0]
        for _, pattern, _, methods in self.routes:
            match = pattern.match(path)
            if match:
                names = {k: urllib.parse.unquote(v) for k, v in match.groupdict().items()}
                return methods.get(method.lower()), names, True
        return None, {}, False

    def operations(self):
        for _, _, template, methods in self.routes:
            for method, operation in methods.items():
                yield method.upper(), template, operation

    # -- requests

    def request_errors(self, method, target, headers, body):
        operation, names, _ = self.operation(method, target)
        if operation is None:
            return [f"{method} {target} is not an operation"]
        errors = []
        lower = {name.lower(): value for name, value in headers.items()}
        query = target.split("?", 1)[1] if "?" in target else ""
        given = {}
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
            deep = re.match(r"(\w+)\[([^\]]*)\]$", name)
            if deep:
                given.setdefault(deep.group(1), {})[deep.group(2)] = value
            else:
                given[name] = value
        for reference in operation.get("parameters", []):
            parameter = self.resolve(reference)
            name, place = parameter["name"], parameter["in"]
            source = {"path": names, "query": given, "header": lower}[place]
            value = source.pop(name.lower(), None) if place == "query" else source.get(
                name.lower() if place == "header" else name)
            if value is None:
                if parameter.get("required"):
                    errors.append(f"request: {place} parameter {name} is missing")
                continue
            schema = self.resolve(parameter["schema"])
            if schema.get("type") == "integer" and re.match(r"-?[0-9]+$", str(value)):
                value = int(value)
            errors += self.schema_errors(parameter["schema"], value, f"request: {name}")
        errors += [f"request: unknown query parameter {name}" for name in given]
        errors += self._request_body_errors(operation, lower, body)
        return errors

    def _request_body_errors(self, operation, lower, body):
        wanted = operation.get("requestBody")
        if not body:
            missing = wanted is not None and wanted.get("required")
            return ["request: the body is missing"] if missing else []
        if wanted is None:
            return ["request: a body where none is declared"]
        kind = lower.get("content-type", "").split(";")[0].strip()
        if kind not in wanted["content"]:
            return [f"request: content type {kind!r}"]
        return self._body_errors(wanted["content"][kind], kind, body, "request body")

    def _body_errors(self, media, kind, body, where):
        try:
            if kind == "application/x-ndjson":
                values = [load_json(line) for line in body.split(b"\n") if line]
                schema = media["x-item-schema"]
            elif kind in ("application/json", PROBLEM):
                values = [load_json(body)]
                schema = media["schema"]
            else:
                return []
        except (ValueError, UnicodeDecodeError) as error:
            return [f"{where}: {error}"]
        errors = []
        for value in values:
            errors += self.schema_errors(schema, value, where)
            errors += money_errors(value, where)
        return errors

    # -- answers

    def response_errors(self, method, target, status, headers, body):
        operation, _, known = self.operation(method, target)
        lower = {name.lower(): value for name, value in headers.items()}
        kind = lower.get("content-type", "").split(";")[0].strip()
        if operation is None:
            if status not in GATE_STATUSES:
                return [f"{status} for something that is not an operation"]
            if known and status == 405 and "allow" not in lower:
                return ["405 without Allow"]
            return self.problem_errors(status, kind, body)
        self.used.add((operation["operationId"], status))
        response = operation["responses"].get(str(status))
        if response is None:
            return [f"{operation['operationId']} does not document {status}"]
        response = self.resolve(response)
        errors = []
        for name, reference in response.get("headers", {}).items():
            header = self.resolve(reference)
            value = lower.get(name.lower())
            if value is None:
                if header.get("required"):
                    errors.append(f"header {name} is missing")
                continue
            if self.resolve(header["schema"]).get("type") == "integer" and value.isdigit():
                value = int(value)
            errors += self.schema_errors(header["schema"], value, f"header {name}")
        documented = {name.lower() for name in response.get("headers", {})} | PLAIN_HEADERS
        errors += [f"header {name} of {status} is not documented"
                   for name in lower if name not in documented]
        if status >= 400:
            return errors + self.problem_errors(status, kind, body)
        if kind not in response["content"]:
            return errors + [f"content type {kind!r} of {status} is not documented"]
        return errors + self._body_errors(response["content"][kind], kind, body, "body")

    def problem_errors(self, status, kind, body):
        if kind != PROBLEM:
            return [f"{status} has content type {kind!r}, not {PROBLEM}"]
        errors = self._body_errors(
            {"schema": {"$ref": "#/components/schemas/Problem"}}, PROBLEM, body, "problem")
        if errors:
            return errors
        problem = load_json(body)
        slug = problem["type"].rsplit("/", 1)[1]
        if problem["status"] != status:
            errors.append(f"problem: status {problem['status']} in a {status}")
        if slug not in self.problems:
            errors.append(f"problem: the contract does not list {slug}")
        elif self.problems[slug]["status"] != status:
            errors.append(f"problem: {slug} with status {status}")
        return errors


def money_errors(value, where):
    """Digits of every Money object and of every balance in an answer."""
    errors = []
    if isinstance(value, dict):
        amounts = []
        if set(value) == {"amount", "currency"} and isinstance(value["amount"], str):
            amounts = [("amount", value["amount"])]
        elif "shown_balance" in value:
            amounts = [(k, v) for k, v in value.items() if k not in
                       ("currency", "credit_limit_source")]
        for name, text in amounts:
            if where == "request body" or not isinstance(text, str):
                continue
            digits = EXPONENTS.get(value["currency"], 2)
            decimals = len(text.split(".")[1]) if "." in text else 0
            if decimals < digits or (decimals > digits and text.endswith("0")):
                errors.append(f"{where}: {name} {text!r} has the wrong digits")
        for name, item in value.items():
            errors += money_errors(item, f"{where}/{name}" if where != "request body" else where)
    elif isinstance(value, list):
        for item in value:
            errors += money_errors(item, where)
    return errors
