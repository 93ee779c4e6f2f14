"""The Markdown of the results: the numbers to hold, then the figures of each row."""

import json
import os

from machine import SYNC_MODE
from rows import ROWS


def read_results(directory):
    """By row name; a row that was not measured is not there."""
    results = {}
    for row in ROWS:
        path = os.path.join(directory, row.name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results[row.name] = json.load(file)
    return results


def number(value):
    """As people read it: 33,280 and 0.253."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def with_unit(value, unit):
    return number(value) + ("" if not unit or unit == "/s" else " " + unit)


def numbers_to_hold(results):
    text = line(["what", "figure", "must", "goal", "holds", "command"])
    text += line(["---"] * 6)
    for row in ROWS:
        measured = {check["name"]: check for check in results.get(row.name, {}).get("checks", [])}
        for check in row.checks:
            found = measured.get(check.name)
            sign = "≥ " if check.at_least else "≤ "
            verdict = "–"
            if found:
                verdict = "no" if not found["holds"] else (
                    "goal" if check.reaches_goal(found["figure"]) else "yes")
                scale = results[row.name]["scale"]
                if scale != "full":
                    verdict += f" ({scale})"  # Of less than the row says.
            text += line([f"{row.title}: {check.what}",
                          with_unit(found["figure"], check.unit) if found else "–",
                          sign + with_unit(check.must, check.unit),
                          sign + with_unit(check.goal, check.unit), verdict,
                          f"`scripts/bench --only {row.name}`"])
    return text


def figures_table(figures):
    """Lists are the runs behind a figure; they stay in the JSON."""
    columns = []
    for figure in figures:
        columns += [name for name, value in figure.items()
                    if name not in columns and not isinstance(value, (list, dict))]
    text = line([name.replace("_", " ") for name in columns]) + line(["---"] * len(columns))
    for figure in figures:
        text += line([number(figure[name]) if name in figure else "" for name in columns])
    return text


def circumstances(result):
    where = result["machine"]
    return (f"{result['at']}, commit {result['commit']}, scale {result['scale']}; {where['cpu']}, "
            f"{where['cores']} cores, {where['memory_mib']:,} MiB, Linux {where['kernel']}, "
            f"{where['filesystem']}; fdatasync of 4 KiB {where['fdatasync_4kib_us']:,} us, load "
            f"average {where['load_average']:.1f}.\n")


def markdown(results):
    text = "### Numbers to hold\n\n" + numbers_to_hold(results)
    text += f"\nSync mode of Daybook: {SYNC_MODE}.\n"
    for row in ROWS:
        text += f"\n### {row.name}: {row.title}\n\n"
        result = results.get(row.name)
        if result is None:
            text += f"Not measured yet: `scripts/bench --only {row.name}`.\n"
            continue
        text += circumstances(result) + "\n" + figures_table(result["figures"])
        notes = [f"{name.replace('_', ' ')}: {number(value)}"
                 for name, value in result["notes"].items()]
        if notes:
            text += "\n" + "; ".join(notes) + ".\n"
    return text
