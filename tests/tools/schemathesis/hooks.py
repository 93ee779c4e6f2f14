"""What schemathesis cannot know of the ledger that it asks.

$DAYBOOK_KNOWN is JSON: by the name of a parameter, values that exist. Requests that are meant to be
right use them most of the time, and keys of their own, so that they reach the ledger instead of
404 and a replay; those that are meant to be wrong stay as they are.
"""

import itertools
import json
import os
import zlib

import schemathesis
from schemathesis import GenerationMode

KNOWN = json.loads(os.environ["DAYBOOK_KNOWN"])
NUMBERS = itertools.count(1)


def chosen(name, value):
    """A known value in three of four cases, always the same one for the same value."""
    number = zlib.crc32(str(value).encode("utf-8", "surrogatepass"))
    values = KNOWN.get(name)
    return values[number // 4 % len(values)] if values and number % 4 else value


@schemathesis.hook
def before_call(_context, case, **_kwargs):
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    for parameters in (case.path_parameters, case.query):
        for name in parameters or ():
            parameters[name] = chosen(name, parameters[name])
    if isinstance(case.body, dict) and "charge" in case.body:
        case.body["charge"] = chosen("charge", case.body["charge"])
    if case.headers and "Idempotency-Key" in case.headers:
        number = next(NUMBERS)
        if number % 4:
            case.headers["Idempotency-Key"] = f"known-{number}"


@schemathesis.check
def no_unpromised_server_error(_context, response, case):
    """No 5xx but the one that the contract promises: a position that nobody has reached yet."""
    if response.status_code < 500:
        return
    promised = response.status_code == 503 and "min_position" in (case.query or {}) and (
        response.json()["type"].endswith("/projection-lag"))
    assert promised, f"server error {response.status_code}: {response.text[:300]}"
