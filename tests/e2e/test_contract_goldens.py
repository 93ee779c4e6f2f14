"""The golden events of the store fit the contract."""

import glob
import os
import unittest

from contract import ROOT, load_json
from daybook import CONTRACT

GOLDEN = os.path.join(ROOT, "tests", "golden", "events")


class ContractGoldensTest(unittest.TestCase):

    def test_every_golden_event_fits_its_schema(self):
        files = sorted(glob.glob(os.path.join(GOLDEN, "*.json")))
        if not files:
            self.skipTest("there are no golden events")
        for path in files:
            with self.subTest(os.path.basename(path)):
                with open(path, "rb") as file:
                    event = load_json(file.read())
                self.assertTrue(os.path.basename(path).startswith(event["type"] + "_v"))
                self.assertEqual(CONTRACT.component_errors("Event", event), [])

    def test_every_type_of_event_has_a_golden_event_and_a_schema(self):
        types = set(CONTRACT.document["components"]["schemas"]["EventType"]["enum"])
        schemas = CONTRACT.document["components"]["schemas"]
        rules = schemas["EventDataByType"]["allOf"]
        named = {rule["if"]["properties"]["type"]["const"] for rule in rules}
        self.assertEqual(named, types)
        self.assertLessEqual(types, set(schemas))
        files = glob.glob(os.path.join(GOLDEN, "*.json"))
        if files:
            self.assertEqual({os.path.basename(path).split("_v")[0] for path in files}, types)
