"""Every value that was shown is the fold of the commands up to its version, in exact decimals.

Where nobody was told which command made a version, every command without a known result that can
have been under way is tried; what is shown later decides among them. A state that nothing explains
is a violation. More than STATES_MAX open explanations are given up and counted, never guessed.
"""

import bisect

import model
from facts import settled
from record import FOREVER, decimal, units

STATES_MAX = 256


class Fold:
    def __init__(self, account):
        self.account = account
        self.given_up = 0
        self.states = {}   # version -> its only possible state, for the lists
        self.outcomes = {}  # version -> (kind, outcome)

    def run(self):
        account = self.account
        states = {(None, frozenset())}
        self.prepare()
        for version in range(1, account.last + 1):
            key = account.facts.get(version, {}).get("key", (None, None))[0]
            if key is not None and key not in account.by_key:
                return  # a phantom, named already
            keys = self.candidates(version) if key is None else [key]
            requests = [(each, *request) for each in keys for request in self.requests(each)]
            following, failing = {}, []
            for state, used in states:
                for each, kind, amount in requests:
                    if each in used:
                        continue
                    after, outcome, short = model.step(state, kind, amount)
                    if outcome not in (model.OK, model.REFUSED):
                        continue
                    wrong = self.difference(version, after, (kind, outcome, short))
                    if wrong is not None:
                        failing.append(wrong)
                        continue
                    mark = used if key is not None else used | {each}
                    following.setdefault((after, mark), set()).add((kind, outcome))
            if not following:
                self.explain(version, failing)
                return
            if len(following) > STATES_MAX:
                self.given_up += 1
                return
            states = set(following)
            if len({state for state, _ in states}) == 1:
                self.states[version] = next(iter(states))[0]
            outcomes = set().union(*following.values())
            if len({model.changes_money(*what) for what in outcomes}) == 1:
                self.outcomes[version] = next(iter(outcomes))

    def requests(self, key):
        """What may have been asked under a key: the request that was accepted, or any."""
        account = self.account
        writes = account.by_key[key]
        writes = [o for o in writes if settled(o)][:1] or account.executors(key) or writes
        known = account.facts.get(account.versions.get(key), {}).get("amount")
        asked = {(o["kind"], units(o.get("amount", "0"))) for o in writes}
        return sorted(r for r in asked if known is None or r[0] == "open" or r[1] == known[0])

    # -- which command may have made a version that no answer names

    def prepare(self):
        account = self.account
        missing = [v for v in range(1, account.last + 1)
                   if "key" not in account.facts.get(v, {})]
        self.after, self.before, self.free = {}, {}, []
        if not missing:
            return
        spans = sorted(account.spans, key=lambda s: s.highest)
        highest, latest = [s.highest for s in spans], [-1]
        for span in spans:
            latest.append(max(latest[-1], span.began))
        spans.sort(key=lambda s: s.number)
        numbers, earliest = [s.number for s in spans], [FOREVER]
        for span in reversed(spans):
            earliest.append(min(earliest[-1], span.ended))
        earliest.reverse()
        for version in missing:
            self.after[version] = latest[bisect.bisect_left(highest, version)]
            self.before[version] = earliest[bisect.bisect_left(numbers, version)]
        self.free = [key for key in account.by_key
                     if key not in account.versions and account.executors(key)]

    def candidates(self, version):
        result = []
        for key in self.free:
            executors = self.account.executors(key)
            began = min(o["began"] for o in executors)
            until = max(o.get("until", FOREVER) for o in executors)
            if began < self.before[version] and until > self.after[version]:
                result.append(key)
        return result

    # -- what was shown

    def difference(self, version, state, what):
        """The first contradiction (rule, text, operations), or None."""
        command, outcome, short = what
        for operation in self.told(version):
            refused = operation["status"] == 409
            if refused != (outcome == model.REFUSED):
                return (("false-refusal", "was refused though funds suffice") if refused else
                        ("overdraw", f"was accepted {decimal(short)} beyond what is available"
                         )) + ([operation["id"]],)
            if refused and "short_by" in operation and units(operation["short_by"]) != short:
                return ("refusal", f"is short by {operation['short_by']}, not {decimal(short)}",
                        [operation["id"]])
        kind = self.account.facts.get(version, {}).get("type")
        if kind is not None and kind[0] not in model.TYPES[command][outcome == model.REFUSED]:
            return "value", f"is a {kind[0]}, not of {command}, {outcome}", [kind[1]]
        for (field, value), name in self.account.seen.get(version, {}).items():
            wanted = model.shows(state, field)
            if value != wanted:
                return ("value", f"shows {field} {decimal(value)}, the fold is "
                        f"{decimal(wanted)}", [name])
        return None

    def told(self, version):
        key = self.account.facts.get(version, {}).get("key", (None,))[0]
        return [o for o in self.account.by_key.get(key, ()) if settled(o)
                and o.get("version", version) == version]

    def explain(self, version, failing):
        witnesses = self.witnesses(version)
        if not failing:
            self.account.flag("gap", f"no command explains version {version}", *witnesses)
            return
        rule, text, names = failing[0]
        if len(failing) > 1:
            text += f" (and {len(failing) - 1} other explanations fail)"
        self.account.flag(rule, f"version {version} {text}", *dict.fromkeys(names + witnesses))

    def witnesses(self, version):
        names = [fact[1] for fact in self.account.facts.get(version, {}).values()]
        names += self.account.seen.get(version, {}).values()
        return list(dict.fromkeys(names))[:4]

