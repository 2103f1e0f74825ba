"""make bench: what orchestration, rating and the usage pass cost here, beside the least that could do the same work.

Nothing is asserted on time: numbers are printed and kept in benchmarks/last.json, to be compared on one machine.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import journal, orchestration, rate_api, rating, usage
from devstack.up import Stack
from runtime.engine import engine_id

LAST = Path(__file__).with_name("last.json")
AFTER = ("differences", "pages", "console_pages", "shards", "month")
"""What is measured in processes of their own, one at a time, each with a table of its own."""
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def show(result: Mapping[str, Any]) -> None:
    """Print the results as one table."""
    table = Table(title=f"Benchmarks · {result['engine']} · {result['machine']}", title_justify="left")
    table.add_column("what")
    for column in ("ours", "the least", "ratio"):
        table.add_column(column, justify="right")
    close_, rated, passed = result["orchestration"], result["rating"], result["usage_pass"]
    table.add_row(
        f"orchestration, {close_['customers']} customers, shapes equal ({close_['commands_each']} commands)",
        f"{close_['real_per_second']:.1f} customers/s",
        f"{close_['empty_per_second']:.1f} customers/s",
        f"{close_['ratio']:.0%}",
    )
    for name, milliseconds in close_["cpu_ms_each"].items():
        table.add_row(f"  CPU a customer, {name}", f"{milliseconds:.1f} ms", "", "")
    table.add_row("rating: rated lines a core", f"{rated['rated_lines_per_second']:,.0f}/s", "20,000/s", "")
    for name, key in (
        ("no pool", "usage_lines_per_second"),
        ("a pool that runs dry", "usage_lines_per_second_with_pool"),
    ):
        table.add_row(f"rating: usage lines a core, {name}", f"{rated[key]:,.0f}/s", "100,000/s", "")
    twice = f"{rated['twice_the_lines_with_pool_cost']:.2f} x"
    table.add_row("rating: twice the usage lines, with a pool", twice, "2.00 x", "")
    table.add_row(
        f"usage pass, {passed['events']:,} events x 2 sources, {passed['customers']} customers",
        f"{passed['seal_seconds'] + passed['reconcile_seconds']:.2f} s",
        f"{passed['bare_seconds']:.2f} s",
        f"{passed['ratio']:.2f} x",
    )
    table.add_row("  of it collect (seal, Parquet)", f"{passed['seal_seconds']:.2f} s", "", "")
    table.add_row("  of it reconcile", f"{passed['reconcile_seconds']:.2f} s", "", "")
    table.add_row("  reading the sources, apart", f"{passed['read_seconds']:.2f} s", "", "")
    table.add_row("  our peak memory", f"{passed['peak_mib']:,} MiB", "", "")
    for row in journal.rows(result["journal"]):
        table.add_row(*row)
    quoted = result["rate_api"]
    table.add_row(
        f"rate API, a quote of {quoted['lines']} lines over HTTP, {quoted['versions']:,} rate versions",
        f"p95 {quoted['p95_ms']:.1f} ms",
        "",
        "",
    )
    console.print(table)


def main(
    customers: Annotated[int, typer.Option(help="Customers to close.")] = 60,
    lines: Annotated[int, typer.Option(help="Calls of each of them; a call bears four meters.")] = 20,
    events: Annotated[int, typer.Option(help="Events of the usage pass, in each of two sources.")] = 1_000_000,
    entries: Annotated[int, typer.Option(help="Entries of the journal.")] = 100_000,
    whole: Annotated[bool, typer.Option(help="Whether what fills a machine for minutes comes after.")] = True,
) -> None:
    """Measure orchestration, rating, the usage pass, the journal and the rate API, print a table and keep it."""
    result: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine": engine_id(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "rating": rating.measure(),
    }
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
        result["usage_pass"] = usage.measure(Path(folder), events, max(20, events // 20_000))
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another account where we are root
        result["rate_api"] = rate_api.measure(Path(folder))
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        result["journal"] = journal.measure(Path(folder), entries)
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Stack(Path(folder), {}) as stack:
            result["orchestration"] = asyncio.run(orchestration.measure(stack, customers, lines))
    show(result)
    LAST.write_text(json.dumps(result, indent=1) + "\n")
    console.print(f"kept in {LAST}")
    sys.stdout.flush()
    for one in AFTER if whole else ():
        subprocess.run([sys.executable, "-m", f"benchmarks.{one}"], check=True)
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


if __name__ == "__main__":
    typer.run(main)
