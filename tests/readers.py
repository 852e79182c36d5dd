"""Reads a store's tables with other programs, and compares them with summaries of imports.

    readers.py STORE < expected.json      [{"run": …, "periods": […]}, …], oldest first

Each item is the JSON summary of an import that published all its months. The last one describes the current version
of the tables, those before it earlier versions. deltalake reads every version, DuckDB the files of the newest one (of
a local store only: its S3 extension needs a download).
"""

import decimal
import json
import os
import sys
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

MONEY = pa.decimal128(38, 24)
TIME = pa.timestamp("us", tz="UTC")
TYPES = {
    "costs": {
        "start_date": pa.date32(),
        "end_date": pa.date32(),
        "price": MONEY,
        "quantity": MONEY,
        "original_amount": MONEY,
        "discount_amount": MONEY,
        "amount": MONEY,
    },
    "line_items": {
        "time/usage_start": TIME,
        "time/usage_end": TIME,
        "usage/amount": MONEY,
        "cost/cost": MONEY,
        "cost/discounted_cost": MONEY,
        "cost/on_demand_cost": MONEY,
    },
}
# Expected sums of a period: SQL and key in the summary.
SUMS = {
    "costs": [
        ("original_amount", "original_amount"),
        ("coalesce(amount, original_amount - coalesce(discount_amount, 0))", "net_amount"),
    ],
    "line_items": [('"cost/cost"', "net_amount"), ('"cost/discounted_cost"', "net_amount")],
}
decimal.getcontext().prec = 60


def assert_equal(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found} instead of {expected}")


def total(numbers):
    return sum((n for n in numbers if n is not None), Decimal(0))


def open_version(table, run):
    """Loads the version that a run published, found by the run's id in the commits."""
    versions = [c["version"] for c in table.history() if c.get("billstream.run") == run]
    table.load_as_version(max(versions))
    return versions


def check_types(name, rows):
    for column, expected in TYPES[name].items():
        assert_equal(f"type of {name}.{column}", rows.schema.field(column).type, expected)


def check_period(name, what, rows, period):
    def column(c):
        return rows.column(c).to_pylist()

    assert_equal(f"rows of {what}", rows.num_rows, period[name])
    if name == "costs":
        amounts = zip(column("amount"), column("original_amount"), column("discount_amount"))
        net = [original - (discount or 0) if net is None else net for net, original, discount in amounts]
        assert_equal(f"net of {what}", total(net), Decimal(period["net_amount"]))
        assert_equal(f"original of {what}", total(column("original_amount")), Decimal(period["original_amount"]))
    else:
        for c in ("cost/cost", "cost/discounted_cost"):
            assert_equal(f"{c} of {what}", total(column(c)), Decimal(period["net_amount"]))


def check_pruning(name, table, rows):
    """Checks that readers that trust statistics lose no rows."""
    column = "original_amount" if name == "costs" else "cost/cost"
    values = set(rows.column(column).drop_null().to_pylist())
    for value in sorted(values, key=abs)[-3:]:
        found = table.to_pyarrow_dataset().to_table(filter=pc.field(column) == pa.scalar(value, MONEY))
        expected = rows.filter(pc.equal(rows.column(column), pa.scalar(value, MONEY)))
        assert_equal(f"rows of {name} where {column} = {value}", found.num_rows, expected.num_rows)


def check_duckdb(name, what, files, period):
    sums = ", ".join(f"sum({sql})" for sql, _ in SUMS[name])
    query = f"select count(*), {sums} from read_parquet(?, hive_partitioning = false)"
    count, *found = duckdb.execute(query, [files]).fetchone()
    assert_equal(f"DuckDB's rows of {what}", count, period[name])
    for (sql, key), value in zip(SUMS[name], found):
        assert_equal(f"DuckDB's sum({sql}) of {what}", value, Decimal(period[key]))


def main():
    store = sys.argv[1].rstrip("/")
    summaries = json.load(sys.stdin)
    for name in TYPES:
        current = DeltaTable(f"{store}/{name}")
        for summary in summaries:
            table = DeltaTable(f"{store}/{name}")
            commits = open_version(table, summary["run"])
            assert_equal(f"commits of {summary['run']}", len(commits), len(summary["periods"]))
            now = summary is summaries[-1]
            if now:
                assert_equal(f"version of {name}", table.version(), current.version())
            for period in summary["periods"]:
                connection, month = period["connection"], period["billing_period"]
                filters = [("connection", "=", connection), ("billing_period", "=", month)]
                what = f"{name} {month} at version {table.version()}"
                rows = table.to_pyarrow_table(filters=filters)
                check_types(name, rows)
                check_period(name, what, rows, period)
                if now and not store.startswith("s3://"):
                    check_duckdb(name, what, table.file_uris(file_pruning_predicate=filters), period)
            everything = table.to_pyarrow_table()
            assert_equal(f"rows of {name}", everything.num_rows, sum(p[name] for p in summary["periods"]))
            check_pruning(name, table, everything)
    print(f"{len(summaries)} versions of {', '.join(TYPES)} equal the imports")


if __name__ == "__main__":
    main()
    # Exits at once: the readers' threads, still on S3 connections, may abort an orderly exit.
    sys.stdout.flush()
    os._exit(0)
