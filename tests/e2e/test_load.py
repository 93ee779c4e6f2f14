"""The driver of the crash rigs notices what it is there for: planted losses, phantoms, doubles."""

import copy
import os
import shutil
import time

from load import LoadCase


class LoadSelfTest(LoadCase):
    seed = 1

    def setUp(self):
        super().setUp()
        self.accounts = [self.open_account() for _ in range(2)]
        self.client.check = False
        self.work()

    def work(self):
        with self.under_load(self.accounts, threads=2):
            time.sleep(0.3)

    def again(self):
        self.server.kill()
        self.restart_and_check(self.commands)

    def test_a_ledger_rolled_back_behind_an_acknowledgement_is_noticed(self):
        self.client.close()
        self.server.stop()
        old = self.server.data + ".old"
        shutil.copytree(self.server.data, old)
        self.addCleanup(shutil.rmtree, old, ignore_errors=True)
        self.server.start()
        self.work()
        self.server.kill()
        shutil.rmtree(self.server.data)
        os.rename(old, self.server.data)
        with self.assertRaisesRegex(AssertionError, "an acknowledged event is gone"):
            self.restart_and_check(self.commands)

    def test_an_effect_that_nobody_asked_for_is_noticed(self):
        self.charge(self.accounts[0], "1.00", enforce="record")
        self.again()
        with self.assertRaises(AssertionError):
            self.check_everything(self.accounts)

    def test_an_effect_that_comes_twice_is_noticed(self):
        command = next(c for c in self.commands if c.what == "top-ups" and c.answer)
        body = dict(command.body, provider_payment_id="another")
        self.assertEqual(self.client.post(command.path, body).status, 201)
        self.again()
        with self.assertRaises(AssertionError):
            self.check_everything(self.accounts)

    def test_an_answer_that_is_not_the_event_is_noticed(self):
        self.again()
        command = next(c for c in self.commands if c.answer and c.answer[0] == 201)
        status, body = command.answer
        body = copy.deepcopy(body)
        body["event"]["version"] += 1
        command.answer = (status, body)
        with self.assertRaises(AssertionError):
            self.check_acknowledged([command])
