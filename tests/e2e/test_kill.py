"""kill -9 of the real server under load (load.py): nothing acknowledged is lost or counted twice.

At the end `daybook verify` passes and the balances are the driver's own sums.
"""

import os
import random
import time

from daybook import run_cli
from load import LoadCase

CYCLES = int(os.environ.get("DAYBOOK_KILL_CYCLES", "5"))
SEED = int(os.environ.get("DAYBOOK_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2 ** 32)
ACCOUNTS = 5


class KillTest(LoadCase):
    limit_seconds = 120 + 60 * CYCLES
    seed = SEED

    def test_no_acknowledged_event_is_lost_by_a_kill(self):
        print(f"kill test: {CYCLES} cycles, DAYBOOK_KILL_SEED={SEED}", flush=True)
        self.record_history()
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        restarts, unknowns = [], 0
        for cycle in range(CYCLES):
            first = len(self.commands)
            with self.under_load(accounts):
                time.sleep(self.random.uniform(0.05, 0.4))
                self.kill_server()
            restart, unknown = self.restart_and_check(self.commands[first:])
            restarts.append(restart)
            unknowns += unknown
        self.check_everything(accounts)
        report = self.check_history()
        self.assertEqual(report.left_out, 0)
        acknowledged = sum(command.answer is not None for command in self.commands)
        self.assertGreater(acknowledged, CYCLES * 10, "the load was too small to prove anything")
        print(f"kill test: {CYCLES} kills, {acknowledged} commands, {unknowns} unknown at a kill, "
              f"slowest restart {max(restarts):.2f} s, history of {report.operations} operations",
              flush=True)
        self.client.close()
        self.server.stop()
        done = run_cli("verify", "--data", self.server.data, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
