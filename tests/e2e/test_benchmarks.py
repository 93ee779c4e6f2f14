"""The benchmark harness: its rows end with figures, and it notices what it is there to notice."""

import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from daybook import binary, run_cli

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HARNESS = os.path.join(ROOT, "benchmarks", "harness")
sys.path.insert(0, HARNESS)

import machine  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402

# Rows to be run at the smallest scale; scripts/test --full names more of them.
ROWS = os.environ.get("DAYBOOK_BENCH_ROWS", "verify").split()
ROW_SECONDS = 120


class RowsTest(unittest.TestCase):
    ALONE = True

    def setUp(self):
        # Beside the binary, not in /tmp: PostgreSQL's user must be able to enter it.
        self.place = tempfile.mkdtemp(prefix="bench-test-", dir=os.path.dirname(binary()))
        os.chmod(self.place, 0o755)
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)

    def bench(self, *arguments, expect=0):
        done = subprocess.run(
            [sys.executable, os.path.join(HARNESS, "bench.py"), "--build",
             os.path.dirname(binary()), "--place", self.place, "--results",
             os.path.join(self.place, "results"), *arguments],
            capture_output=True, text=True, timeout=ROW_SECONDS, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def test_a_row_ends_with_its_figures(self):
        for name in ROWS:
            with self.subTest(name):
                done = self.bench("--scale", "smoke", "--only", name)
                with open(os.path.join(self.place, "results", name + ".json"),
                          encoding="utf-8") as file:
                    result = json.load(file)
                self.assertEqual([check["name"] for check in result["checks"]],
                                 [check.name for check in rows.BY_NAME[name].checks])
                for check in result["checks"]:
                    self.assertGreater(check["figure"], 0, check)
                self.assertTrue(result["figures"])
                for figure in result["figures"]:
                    self.assertGreater(figure.get("per_second", 1), 0, figure)
                self.assertGreater(result["machine"]["fdatasync_4kib_us"], 0)
                self.assertIn("fdatasync", result["sync_mode"])
                self.assertRegex(done.stdout, rf"### {name}: .*\n\n20\d\d-.*fdatasync of 4 KiB")
                left = [entry for entry in os.listdir(self.place) if entry != "results"]
                self.assertEqual(left, [], "a row leaves its data behind")

    def test_a_row_that_cannot_be_measured_fails_the_run(self):
        build = os.path.join(self.place, "build")
        os.mkdir(build)
        for name in ("daybook", "noop_server", "http_load"):
            os.symlink("/bin/false", os.path.join(build, name))
        done = self.bench("--scale", "smoke", "--only", "verify", "--build", build, expect=1)
        self.assertIn("FAILED verify", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.place, "results", "verify.json")))

    def test_a_ledger_is_preloaded_kept_and_charged_again(self):
        ledger = os.path.join(self.place, "ledger")

        def bench(*options):
            done = run_cli("bench", "--json", "--ledger", ledger, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)

        first = bench("--accounts", 50, "--keys", "random", "--preload", 9000, "--runs", 0,
                      "--read-log")
        self.assertGreater(first["log_read_events_per_second"], 0)
        self.assertEqual(first["in_process"][0]["events_before"], 9000)
        again = bench("--accounts", 60, "--distribution", "zipf", "--preload", 9500, "--runs", 1,
                      "--seconds", 1, "--batch", 100)["in_process"][0]
        self.assertEqual(again["events_before"], 9500)
        self.assertGreater(again["ledger_events_per_second"], 0)
        self.assertGreater(again["bare_entry_events_per_second"], 0)
        hot = bench("--accounts", 1, "--distribution", "hot", "--runs", 1, "--seconds", 1,
                    "--no-bare")["in_process"][0]
        self.assertGreater(hot["events_before"], 9500)
        self.assertNotIn("ratio", hot)
        folded = run_cli("replay", "--data", ledger, "--account", "bench-0", "--json")
        self.assertGreater(json.loads(folded.stdout)["version"], hot["ledger_events_per_second"])
        self.assertEqual(run_cli("verify", "--data", ledger).returncode, 0)


class Stalling(socketserver.StreamRequestHandler):
    """Answers at once, but not for a second in the middle."""

    def handle(self):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                part = self.rfile.readline()
                if not part:
                    return
                head += part
            self.rfile.read(int(re.search(rb"Content-Length: (\d+)", head)[1]))
            with self.server.lock:
                now = time.monotonic()
                self.server.began = self.server.began or now
                if not self.server.stalled and now - self.server.began > 1:
                    self.server.stalled = True
                    time.sleep(1)
            self.wfile.write(b"HTTP/1.1 %d \r\nContent-Length: 0\r\n\r\n" % self.server.status)


class LoadTest(unittest.TestCase):
    ALONE = True

    def load(self, *options, status=201):
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stalling) as server, \
                tempfile.NamedTemporaryFile("w") as key:
            server.daemon_threads = True
            server.lock, server.began, server.stalled = threading.Lock(), 0, False
            server.status = status
            key.write("secret\n")
            key.flush()
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                return subprocess.run(
                    [os.path.join(os.path.dirname(binary()), "http_load"), "--port",
                     str(server.server_address[1]), "--key-file", key.name, "--prefix", "a",
                     "--seconds", "3", *options],
                    capture_output=True, text=True, timeout=60, check=False)
            finally:
                server.shutdown()

    def test_a_stall_is_in_the_latency_of_all_that_it_held_up(self):
        run = json.loads(self.load("--connections", "2", "--rate", "100").stdout)
        self.assertEqual((run["requests"], run["missed_requests"]), (300, 0))
        # A third of the requests were due while the server stalled: 0 to 1 s late, evenly.
        self.assertGreater(run["p90_us"], 600_000)
        self.assertLess(run["p50_us"], 400_000)

    def test_a_closed_loop_does_not_see_it(self):
        run = json.loads(self.load("--connections", "2").stdout)
        self.assertLess(run["p90_us"], 100_000)
        self.assertGreater(run["max_us"], 900_000)

    def test_what_is_refused_for_now_is_counted_and_not_done(self):
        run = json.loads(self.load("--connections", "2", status=503).stdout)
        self.assertEqual(run["per_second"], 0)
        self.assertEqual(run["refused"], run["requests"])

    def test_any_other_answer_ends_the_load(self):
        done = self.load("--connections", "2", status=500)
        self.assertEqual(done.returncode, 1)
        self.assertIn("answered 500", done.stderr)


class ArithmeticTest(unittest.TestCase):
    def test_the_lag_is_the_age_of_the_first_event_not_applied(self):
        even = [(float(t), t * 100, t * 100) for t in range(10)]
        self.assertEqual(max(processes.lags_of(even)), 0)
        # Read models that stand still at event 250, which was committed at 2.5 s.
        stuck = [(float(t), t * 100, min(t * 100, 250)) for t in range(10)]
        self.assertEqual(processes.lags_of(stuck)[9], 6.5)
        # They go on, always two seconds behind.
        late = [(float(t), t * 100, max(0, t - 2) * 100) for t in range(10)]
        self.assertEqual(processes.lags_of(late)[2:], [2.0] * 8)

    def test_medians_were_measured(self):
        self.assertEqual(machine.median([5, 1, 3]), 3)
        self.assertEqual(machine.median([4, 1]), 1)
        self.assertEqual(machine.spread([90, 100, 110]), 0.2)
        self.assertEqual(machine.spread([7]), 0)

    def test_a_number_holds_on_its_side(self):
        at_least = rows.Check("a", "", 10, 20)
        at_most = rows.Check("a", "", 20, 10, "ms", False)
        self.assertTrue(at_least.holds(10) and at_most.holds(20))
        self.assertFalse(at_least.holds(9.9) or at_most.holds(20.1))

    def test_the_table_names_every_number_and_its_command(self):
        text = report.markdown({})
        for row in rows.ROWS:
            self.assertIn(f"### {row.name}: ", text)
            for check in row.checks:
                self.assertIn(f"{check.what} | – | {'≥' if check.at_least else '≤'}", text)
        found = {"http_batch": {
            "scale": "full", "at": "2026-01-01T00:00:00Z", "commit": "c", "notes": {"a_b": 1000},
            "machine": {"cpu": "x", "cores": 2, "memory_mib": 1, "kernel": "k",
                        "filesystem": "ext4", "fdatasync_4kib_us": 130, "load_average": 0.1},
            "checks": [{"name": "per_second", "figure": 99_999, "holds": False}],
            "figures": [{"per_second": 99_999, "runs": [1]}, {"per_second": 5, "p99_ms": 0.5}]}}
        text = report.markdown(found)
        self.assertIn("charges/s | 99,999 | ≥ 100,000 | ≥ 250,000 | no |", text)
        found["http_batch"]["scale"] = "quick"
        found["http_batch"]["checks"][0].update(figure=250_000, holds=True)
        self.assertIn("charges/s | 250,000 | ≥ 100,000 | ≥ 250,000 | goal (quick) |",
                      report.markdown(found))
        self.assertIn("| per second | p99 ms |\n| --- | --- |\n| 99,999 |  |\n| 5 | 0.5 |", text)


if __name__ == "__main__":
    unittest.main()
