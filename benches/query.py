#!/usr/bin/env python3
"""Times questions as whole processes: `billstream query` beside the `duckdb` package on the same Parquet files.

    cargo build --release && target/test-venv/bin/python benches/query.py

The store has twelve months and about ten million line items (the first argument, if it is to be another
number). It is made once, from the sandbox, in the folder BENCH_STORE (target/bench-store). Every question is
asked in turn of a new billstream process and of a new Python process, once without a clock and five times
with one. Both must print the same rows. Seconds are the middle of five runs, memory is the highest peak.
"""

import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

from harness import BINARY, MONTH, answered, environment, measured, middle, sandbox

ROOT = Path(__file__).resolve().parent.parent
STORE = Path(os.environ.get("BENCH_STORE", ROOT / "target" / "bench-store")).resolve()
LINE_ITEMS, ROUNDS = 10_000_000, 5
# Of the sandbox, whose last days are not complete.
LINE_ITEMS_A_COST, DAYS_OF_COSTS = 1.5095, 356.9
START_SECONDS, PEAK_MB = 0.050, 512
SERVICES = "select billing_period, {service}, sum({cost}) as cost from {table} group by 1, 2 order by 1, 2"
TOP = """select {resource}, sum({cost}) as cost from {table} where billing_period = '{month}'
    group by 1 order by 2 desc, 1 limit 20"""
RESOURCE = """select billing_period, {usage_type}, count(*) as line_items, sum({cost}) as cost from {table}
    where {resource} = '{one}' group by 1, 2 order by 1, 2"""
QUESTIONS = {
    "count": "select count(*) as line_items from {table}",
    "month and service": SERVICES,
    "top 20 of a month": TOP,
    "one resource": RESOURCE,
}
FORMS = [
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
# The files that the Delta log names, and a resource of middling size that every month has. It is a process of
# its own because a child's peak memory is never below that of the process that started it.
LOOK = """
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
# What a person would write who asks one question of Parquet files in Python.
DUCKDB = """
import csv, decimal, sys, duckdb
decimal.getcontext().prec = 60
*prepare, question = sys.argv[1:]
duckdb.execute("set enable_progress_bar = false")
for statement in prepare:
    duckdb.execute(statement)
answer = duckdb.execute(question)
def text(value):
    return f"{value.normalize():f}" if isinstance(value, decimal.Decimal) else value
out = csv.writer(sys.stdout, lineterminator="\\n")
out.writerow([column[0] for column in answer.description])
out.writerows(map(text, row) for row in answer.fetchall())
"""


def make_store(line_items):
    """Imports the twelve months, unless the folder has them."""
    a_month = int(line_items / LINE_ITEMS_A_COST / DAYS_OF_COSTS) * 31
    made = STORE / "made-for-bench"
    if made.exists():
        if made.read_text() != str(a_month):
            sys.exit(f"{STORE} holds another number of line items: remove it, or name another BENCH_STORE")
        return
    print(f"importing about {line_items} line items into {STORE}", file=sys.stderr)
    with sandbox(a_month) as (_, settings):
        command = [BINARY, "import", "--all", "--no-deliver", "--store", STORE, "--format", "json"]
        seconds, peak, _ = measured(command, settings)
    made.write_text(str(a_month))
    print(f"imported in {seconds:.0f} s, {peak:.0f} MB peak", file=sys.stderr)


def duckdb_views(files):
    """The statements that give DuckDB the names that billstream has."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    types = "{'connection': varchar, 'billing_period': varchar}"
    line_items = f"from read_parquet([{names}], hive_partitioning = true, hive_types = {types})"
    # What the published line items lack, and billstream adds.
    absent = """cast(null as decimal(38, 24)) as "cost/amortized_cost",
        cast(null as decimal(38, 24)) as "cost/discounted_amortized_cost", cast(null as varchar) as tags"""
    daily_costs = (ROOT / "sql" / "views" / "daily_costs.sql").read_text()
    own = [f"create view line_items as {line_items}"]
    return {
        "line_items": own,
        "daily_costs": [
            "set timezone = 'UTC'",
            *own,
            f"create view all_line_items as select *, {absent} from line_items",
            f"create view daily_costs as {daily_costs}",
        ],
    }


def ask(name, store, prepare, question):
    """Asks both in turn, prints a line of the table, and returns what misses its target."""
    ours = [BINARY, "query", "--store", store, "--format", "csv", question]
    theirs = [sys.executable, "-c", DUCKDB, *prepare, question]
    # They name a column without an alias differently, so the header is left out.
    rows, expected = (answered(command, environment())[1].partition("\n")[2] for command in (ours, theirs))
    if rows != expected:
        lines = itertools.zip_longest(rows.splitlines(), expected.splitlines())
        found, wanted = next(pair for pair in lines if pair[0] != pair[1])
        sys.exit(f"{name}: billstream says {found}, DuckDB {wanted}\n{question}")
    pairs = [(measured(ours, environment()), measured(theirs, environment())) for _ in range(ROUNDS)]
    (seconds, peak, _), (other, other_peak, _) = (middle(runs) for runs in zip(*pairs))
    print(f"{name:<30} {seconds:>10.3f} {other:>8.3f} {seconds / other:>6.2f} {peak:>8.0f} {other_peak:>8.0f}",
          flush=True)
    limit = START_SECONDS if question == "select 1" else other
    missed = [f"{name}: {seconds:.3f} s, not {limit:.3f}"] if seconds > limit else []
    return missed + ([f"{name}: {peak:.0f} MB"] if peak > PEAK_MB else [])


def main():
    make_store(int(sys.argv[1]) if sys.argv[1:] else LINE_ITEMS)
    seen = json.loads(answered([sys.executable, "-c", LOOK, STORE], environment())[1])
    views = duckdb_views(seen["files"])
    print(f"{'':<30} billstream   duckdb  ratio       MB       MB")
    missed = []
    with tempfile.TemporaryDirectory() as empty:
        missed += ask("select 1, empty store", empty, [], "select 1")
    missed += ask("select 1", STORE, [], "select 1")
    for form in FORMS:
        for name, question in QUESTIONS.items():
            sql = question.format(**form, month=MONTH, one=seen["resource"])
            missed += ask(f"{name}, {form['table']}", STORE, views[form["table"]], sql)
    print("all targets met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
