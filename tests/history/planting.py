"""How a kind of wrong behaviour is written down, and planted once.

Most are ledgers that break one promise at one moment and go on from there, so that everything that
follows fits the wrong state, as it would with a real fault. A few are strokes of the pen in a
clean history. `RULES_OF` says which rules may name a kind; any other name is a failed test.
"""

from ledger import Ledger

RULES_OF = {}
LEDGERS = {}
STROKES = {}


def ledger(*rules):
    def register(kind):
        RULES_OF[kind.__name__] = set(rules)
        LEDGERS[kind.__name__] = kind
        return kind
    return register


def stroke(*rules):
    def register(function):
        RULES_OF[function.__name__] = set(rules)
        STROKES[function.__name__] = function
        return function
    return register


class Faulty(Ledger):
    """Breaks its promise at the n-th occasion, once; `planted` names where."""

    def __init__(self, rng, occasion):
        super().__init__(rng)
        self.occasions_left = occasion
        self.planted = None   # the operation at hand when it happened
        self.told = {}        # (account, key) -> when a client had the answer
        self.shown = set()    # (account, version) that a client has seen

    def learned(self, operation):
        if "key" in operation:
            self.told[operation["account"], operation["key"]] = self.now
        elif operation["kind"] == "balance" and "version" in operation:
            self.shown.add((operation["account"], operation["version"]))

    def heard(self, operation):
        """Whether a client had an answer under its key before it sent this."""
        told = self.told.get((operation["account"], operation["key"]))
        return told is not None and told < operation["began"]

    needs_answer = True       # it shows only if the operation at hand is answered

    def now_if(self, occasion):
        if not occasion or self.planted is not None:
            return False
        self.occasions_left -= 1
        if self.occasions_left >= 0:
            return False
        self.planted = self.handled
        return True
