#!/usr/bin/env python3
"""Measures queries as whole processes: `billstream query` and the `duckdb` package on the same Parquet files.

    cargo build --release && target/test-venv/bin/python benches/query.py

The store has twelve months and about ten million line items (or the number in the first argument). It is created
once, from the sandbox, in the folder BENCH_STORE (target/bench-store). Each query runs alternately in a new
billstream process and a new Python process, once to warm up and five times measure. Both must print the same rows.
Seconds are the median of five runs, memory is the highest peak.
"""

import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

from harness import BINARY, MONTH, measure_output, environment, measure, median, sandbox

ROOT = Path(__file__).resolve().parent.parent
STORE = Path(os.environ.get("BENCH_STORE", ROOT / "target" / "bench-store")).resolve()
LINE_ITEMS, ROUNDS = 10_000_000, 5
# Figures of the sandbox, whose last days are incomplete.
LINE_ITEMS_PER_COST, DAYS_OF_COSTS = 1.5095, 356.9
START_SECONDS, PEAK_MB = 0.050, 512
SERVICES = "select billing_period, {service}, sum({cost}) as cost from {table} group by 1, 2 order by 1, 2"
TOP = """select {resource}, sum({cost}) as cost from {table} where billing_period = '{month}'
    group by 1 order by 2 desc, 1 limit 20"""
RESOURCE = """select billing_period, {usage_type}, count(*) as line_items, sum({cost}) as cost from {table}
    where {resource} = '{one}' group by 1, 2 order by 1, 2"""
QUERIES = {
    "count": "select count(*) as line_items from {table}",
    "month and service": SERVICES,
    "top 20 of a month": TOP,
    "one resource": RESOURCE,
}
NAMINGS = [
    {
        "table": "line_items",
        "service": '"resource/service"',
        "resource": '"resource/id"',
        "usage_type": '"action/usage_type"',
        "cost": '"cost/cost"',
    },
    {
        "table": "daily_costs",
        "service": "service",
        "resource": "resource_id",
        "usage_type": "usage_type",
        "cost": "billed_cost",
    },
]
# Prints the files of the Delta log, and a medium-sized resource that every month has. Runs in a separate process,
# because a child's peak memory is never below that of its parent.
INSPECT = """
import json, sys, deltalake, duckdb
files = deltalake.DeltaTable(sys.argv[1] + "/line_items").file_uris()
duckdb.execute("set enable_progress_bar = false")
one, = duckdb.execute('''
    with months as (
      select "resource/id" as id, billing_period, count(*) as rows
      from read_parquet(?, hive_partitioning = true, hive_types = {'billing_period': varchar})
      group by 1, 2
    ),
    resources as (select id, sum(rows) as rows from months group by 1 having count(*) = 12)
    select id from resources order by rows, id
    limit 1 offset (select count(*) // 2 from resources)''', [files]).fetchone()
print(json.dumps({"files": sorted(files), "resource": one}))
"""
# Typical Python code for one query on Parquet files.
DUCKDB = """
import csv, decimal, sys, duckdb
decimal.getcontext().prec = 60
*prepare, query = sys.argv[1:]
duckdb.execute("set enable_progress_bar = false")
for statement in prepare:
    duckdb.execute(statement)
result = duckdb.execute(query)
def text(value):
    return f"{value.normalize():f}" if isinstance(value, decimal.Decimal) else value
out = csv.writer(sys.stdout, lineterminator="\\n")
out.writerow([column[0] for column in result.description])
out.writerows(map(text, row) for row in result.fetchall())
"""


def create_store(line_items):
    """Imports the twelve months, unless the folder contains them."""
    costs_per_month = int(line_items / LINE_ITEMS_PER_COST / DAYS_OF_COSTS) * 31
    marker = STORE / "made-for-bench"
    if marker.exists():
        if marker.read_text() != str(costs_per_month):
            sys.exit(f"{STORE} has another number of line items: delete it, or set another BENCH_STORE")
        return
    print(f"importing about {line_items} line items into {STORE}", file=sys.stderr)
    with sandbox(costs_per_month) as (_, settings):
        command = [BINARY, "import", "--all", "--no-deliver", "--store", STORE, "--format", "json"]
        seconds, peak, _ = measure(command, settings)
    marker.write_text(str(costs_per_month))
    print(f"imported in {seconds:.0f} s, {peak:.0f} MB peak", file=sys.stderr)


def duckdb_views(files):
    """Returns the statements that create billstream's names in DuckDB."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    types = "{'connection': varchar, 'billing_period': varchar}"
    line_items = f"from read_parquet([{names}], hive_partitioning = true, hive_types = {types})"
    # Columns that billstream adds to the published line items.
    absent = """cast(null as decimal(38, 24)) as "cost/amortized_cost",
        cast(null as decimal(38, 24)) as "cost/discounted_amortized_cost", cast(null as varchar) as tags"""
    daily_costs = (ROOT / "sql" / "views" / "daily_costs.sql").read_text()
    base = [f"create view line_items as {line_items}"]
    return {
        "line_items": base,
        "daily_costs": [
            "set timezone = 'UTC'",
            *base,
            # DuckDB does not look up the newest labels, which no query here reads.
            "create macro newest_label(subject, label, id) as cast(null as varchar)",
            f"create view all_line_items as select *, {absent} from line_items",
            f"create view daily_costs as {daily_costs}",
        ],
    }


def compare(name, store, prepare, query):
    """Runs a query in both, prints a line of the table, and returns missed targets."""
    ours = [BINARY, "query", "--store", store, "--format", "csv", query]
    theirs = [sys.executable, "-c", DUCKDB, *prepare, query]
    # Without the header: the two name a column without an alias differently.
    rows, expected = (measure_output(command, environment())[1].partition("\n")[2] for command in (ours, theirs))
    if rows != expected:
        lines = itertools.zip_longest(rows.splitlines(), expected.splitlines())
        found, expected_row = next(pair for pair in lines if pair[0] != pair[1])
        sys.exit(f"{name}: billstream returns {found}, DuckDB {expected_row}\n{query}")
    pairs = [(measure(ours, environment()), measure(theirs, environment())) for _ in range(ROUNDS)]
    (seconds, peak, _), (other, other_peak, _) = (median(runs) for runs in zip(*pairs))
    print(f"{name:<30} {seconds:>10.3f} {other:>8.3f} {seconds / other:>6.2f} {peak:>8.0f} {other_peak:>8.0f}",
          flush=True)
    limit = START_SECONDS if query == "select 1" else other
    missed = [f"{name}: {seconds:.3f} s, not {limit:.3f}"] if seconds > limit else []
    return missed + ([f"{name}: {peak:.0f} MB"] if peak > PEAK_MB else [])


def main():
    create_store(int(sys.argv[1]) if sys.argv[1:] else LINE_ITEMS)
    inspected = json.loads(measure_output([sys.executable, "-c", INSPECT, STORE], environment())[1])
    views = duckdb_views(inspected["files"])
    print(f"{'':<30} billstream   duckdb  ratio       MB       MB")
    missed = []
    with tempfile.TemporaryDirectory() as empty:
        missed += compare("select 1, empty store", empty, [], "select 1")
    missed += compare("select 1", STORE, [], "select 1")
    for naming in NAMINGS:
        for name, query in QUERIES.items():
            sql = query.format(**naming, month=MONTH, one=inspected["resource"])
            missed += compare(f"{name}, {naming['table']}", STORE, views[naming["table"]], sql)
    print("all targets met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
