"""`make bench`: measure, print, and write `docs/performance.md`.

`--quick` runs everything briefly; `--only ROW` (repeatable) runs some rows. Neither writes the document: it holds
whole runs only.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import attacks, growth, neighbours, portal, rates, report
from bench.plan import Plan
from bench.report import Results
from bench.servers import choose_cores

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"

ROWS: dict[str, Callable[[Plan, Results], None]] = {
    "sqlite": rates.sqlite,
    "postgresql": rates.postgresql,
    "refusals": attacks.refusals,
    "attack": attacks.attack,
    "memory": growth.memory,
    "million": growth.million,
    "portal": portal.portal,
    "neighbours": neighbours.neighbours,
}


def main() -> None:
    options = _options()
    began = datetime.now(UTC)
    directory = Path(tempfile.mkdtemp(prefix="certuary-bench-"))
    results = Results()
    try:
        cores = choose_cores()
        plan = Plan.quick(directory, cores) if options.quick else Plan(directory=directory, cores=cores)
        for name in options.only or ROWS:
            print(f"{name} ...", flush=True)
            ROWS[name](plan, results)
    finally:
        shutil.rmtree(directory)
    tables = (report.table(results), report.growth_table(results), report.verdict_table(results))
    print("\n" + "\n\n".join(tables))
    if options.quick or options.only:
        return
    DOCUMENT.write_text(report.document(results, command="make bench", began=began), "utf-8")
    print(f"\nwritten to docs/{DOCUMENT.name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and small: figures of no worth")
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
