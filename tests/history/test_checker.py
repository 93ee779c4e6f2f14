"""The checker against histories that are known to be clean or known to be wrong."""

import collections
import os
import random
import tempfile
import threading
import unittest

import anomalies
import check
import record
import search
from generate import Run

CLEAN = int(os.environ.get("DAYBOOK_HISTORY_CLEAN", "1000"))
PLANTS = int(os.environ.get("DAYBOOK_HISTORY_PLANTS", "6"))
SEED = os.environ.get("DAYBOOK_HISTORY_SEED", "1")
TRIES = 200  # generated histories for one plant, most of which lack the occasion

# Kinds that show in the values alone, without versions and positions.
PLAIN = ("lost_update", "double_spend", "refused_though_funded", "half_a_command", "one_unit_off",
         "answer_one_unit_off", "read_one_unit_off", "read_of_what_never_was",
         "refusal_with_a_wrong_figure")


def clean(seed, log=None, **more):
    rng = random.Random(f"clean {SEED} {seed}")
    more = {"clients": rng.randrange(1, 6), "accounts": rng.randrange(1, 4),
            "steps": rng.randrange(5, 30), "crashes": rng.randrange(3), **more}
    return Run(rng, log=rng.randrange(2) if log is None else log, **more).run()


def plant(name, number, **more):
    """A history with one anomaly in it, or None where this seed gave no occasion."""
    rng = random.Random(f"{name} {SEED} {number}")
    if name in anomalies.STROKES:
        history = Run(rng, crashes=2, **more).run()
        return history if anomalies.STROKES[name](rng, history) else None
    ledger = anomalies.LEDGERS[name](rng, rng.randrange(4))
    history = Run(rng, ledger, crashes=2, **more).run()
    if ledger.planted is None:
        return None
    if ledger.needs_answer and ledger.planted and "status" not in ledger.planted:
        return None  # nobody heard the wrong answer
    return history


def plants(name, count, **more):
    found = 0
    for number in range(TRIES * count):
        history = plant(name, number, **more)
        if history is not None:
            yield number, history
            found += 1
            if found == count:
                return
    raise AssertionError(f"{name}: no occasion in {TRIES * count} histories")


class CheckerTest(unittest.TestCase):

    def test_no_clean_history_is_flagged(self):
        operations, given_up = 0, 0
        for seed in range(CLEAN):
            report = check.check(clean(seed))
            self.assertEqual(report.violations, [], f"seed {seed}")
            operations += report.operations
            given_up += report.given_up > 0
        print(f"{CLEAN} clean histories, {operations} operations, 0 flagged, "
              f"{given_up} with a fold given up", flush=True)
        self.assertLess(given_up, CLEAN / 50)

    def test_there_are_at_least_25_kinds_of_anomaly(self):
        self.assertGreaterEqual(len(anomalies.ANOMALIES), 25)
        for name, rules in anomalies.RULES_OF.items():
            self.assertTrue(rules <= set(check.RULES), name)

    def test_every_rule_was_seen_to_fire(self):
        fired = collections.Counter()
        for name in anomalies.ANOMALIES:
            for _, history in plants(name, 6, steps=20):
                fired.update({v.rule for v in check.check(history).violations})
        self.assertEqual(set(check.RULES) - set(fired) - {"form"}, set())

    def test_an_error_names_its_operations(self):
        for name in ("lost_update", "stale_read", "replay_applied_twice"):
            for _, history in plants(name, 2, steps=20):
                ids = {o["id"] for o in history}
                for violation in check.check(history).violations:
                    self.assertTrue(violation.operations, violation)
                    self.assertTrue(set(violation.operations) <= ids, violation)

    def test_a_history_that_makes_no_sense_is_refused(self):
        for change in ({"ended": 0, "began": 1}, {"kind": "nonsense"}, {"id": 1}):
            history = clean(1, log=True)
            history[-1] = {**history[-1], **change}
            history[0]["id"] = 1
            self.assertEqual({v.rule for v in check.check(history).violations}, {"form"}, change)

    def test_a_check_changes_nothing_and_repeats_itself(self):
        for _, history in plants("order_reversed", 2, steps=20):
            copy = [dict(o) for o in history]
            first = check.check(history)
            self.assertEqual(history, copy)
            self.assertEqual(check.check(history), first)


def make_anomaly_test(name):
    def test(self):
        for number, history in plants(name, PLANTS, steps=20):
            rules = {v.rule for v in check.check(history).violations}
            self.assertTrue(rules & anomalies.RULES_OF[name],
                            f"{name} {number}: flagged as {rules or 'clean'}")
    return test


class AnomalyTest(unittest.TestCase):
    """One test for each kind: it is flagged wherever it was planted, under a name that fits."""


for kind in anomalies.ANOMALIES:
    setattr(AnomalyTest, f"test_{kind}_is_flagged", make_anomaly_test(kind))


class SearchTest(unittest.TestCase):
    """The search, which knows no versions, and the sweeps, which live on them, agree."""

    small = {"clients": 3, "steps": 6, "accounts": 2}

    def test_the_search_explains_every_clean_history(self):
        count, given_up = CLEAN // 4, 0
        for seed in range(count):
            history = clean(seed, clients=1 + seed % 4, steps=3 + seed % 6, crashes=seed % 2)
            failing, exhausted = search.check(history)
            self.assertEqual(failing, [], f"seed {seed}")
            given_up += bool(exhausted)  # the search takes exponential time at worst
        self.assertLess(given_up, max(2, count / 100))

    def test_what_the_search_cannot_explain_is_flagged_by_the_sweeps(self):
        both, sweeps_only = 0, 0
        for name in anomalies.ANOMALIES:
            for number in range(6):
                history = plant(name, number, **self.small)
                if history is None:
                    continue
                failing, _ = search.check(history)
                violations = check.check(history).violations
                if failing:
                    self.assertTrue(violations, f"{name} {number}: only the search objects")
                both += bool(failing)
                sweeps_only += bool(violations) and not failing
        print(f"small wrong histories: {both} flagged by both, {sweeps_only} by the sweeps alone",
              flush=True)
        self.assertGreater(both, 20)

    def test_the_search_flags_what_shows_in_the_values(self):
        for name in PLAIN:
            flagged = 0
            for _, history in plants(name, 6, **self.small):
                flagged += bool(search.check(history)[0])
            self.assertGreater(flagged, 0, name)

    def test_a_history_whose_time_runs_backwards_is_judged_alike(self):
        for seed in range(40):
            history = clean(seed, clients=2, steps=5, accounts=1, crashes=0, log=False)
            last = max(o.get("ended", o["began"]) for o in history)
            turned = []
            for operation in history:
                operation = dict(operation)
                began, ended = operation["began"], operation.get("ended")
                operation["began"] = 0 if ended is None else last - ended
                if ended is not None:
                    operation["ended"] = last - began
                turned.append(operation)
            if search.check(turned)[0]:
                self.assertTrue(check.check(turned).violations, f"seed {seed}")


class RecordTest(unittest.TestCase):

    def test_amounts_are_exact_both_ways(self):
        for text in ("0.00", "30.25", "-400.00", "0.000000000001", "-0.10",
                     "99999999999999999999999999.999999999999"):
            self.assertEqual(record.units(record.decimal(record.units(text))), record.units(text))
        self.assertEqual(record.units("-0.10"), -10 ** 11)
        self.assertEqual(record.units("7") + record.units("-7.00"), 0)
        self.assertRaises(ValueError, record.units, "0.0000000000001")

    def test_threads_record_into_one_file_in_the_order_of_the_ends(self):
        with tempfile.TemporaryDirectory(prefix="daybook-history-") as folder:
            path = os.path.join(folder, "h.ndjson")
            with record.Recorder(path, "x") as recorder:
                def work(client):
                    for number in range(200):
                        operation = recorder.begin(client, "a", "top-up", key=f"{client}{number}",
                                                   amount="1.00")
                        recorder.end(operation, **({"status": 201, "version": 1} if number % 5
                                                   else {}))
                threads = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(5)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                recorder.died()
            operations = list(record.read(path))
        self.assertEqual(len(operations), 1000)
        self.assertEqual(len({o["id"] for o in operations}), 1000)
        ends = [o["ended"] for o in operations if "ended" in o]
        self.assertEqual(ends, sorted(ends))
        unknown = [o for o in operations if "status" not in o]
        self.assertEqual(len(unknown), 200)
        self.assertTrue(all(o["until"] > o["began"] for o in unknown))

    def test_files_of_one_run_are_read_as_one(self):
        with tempfile.TemporaryDirectory(prefix="daybook-history-") as folder:
            paths = [os.path.join(folder, name) for name in "ab"]
            recorders = [record.Recorder(path, path[-1]) for path in paths]
            for number in range(20):
                recorder = recorders[number % 2]
                recorder.end(recorder.begin("c", "a", "balance"), status=200, version=number)
            for recorder in recorders:
                recorder.close()
            self.assertEqual([o["version"] for o in record.read(*paths)], list(range(20)))


if __name__ == "__main__":
    unittest.main()
