"""Another reader of a store: deltalake, and DuckDB for a local store (its S3 extension needs a download).

Each line on stdin is JSON: `{"store": URL or folder, "every_version": bool}`. The answer is one line of JSON: for each
table and version the net amount per month, as text. A version that cannot be read ends the process with an error.
"""

import json
import sys
from collections import defaultdict
from decimal import Decimal

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

NET = {"costs": "coalesce(amount, original_amount - coalesce(discount_amount, 0))", "line_items": '"cost/cost"'}
COLUMNS = {"costs": ["amount", "original_amount", "discount_amount"], "line_items": ["cost/cost"]}


def net(table, row):
    if table == "line_items":
        return row["cost/cost"]
    if row["amount"] is not None:
        return row["amount"]
    return row["original_amount"] - (row["discount_amount"] or 0)


def by_delta(name, table):
    months = defaultdict(Decimal)
    for row in table.to_pyarrow_table(columns=[*COLUMNS[name], "billing_period"]).to_pylist():
        months[row["billing_period"]] += net(name, row)
    return {month: str(amount) for month, amount in months.items()}


def by_duckdb(name, table):
    files = table.file_uris()
    if not files:
        return {}
    sql = f"select billing_period, sum({NET[name]}) from read_parquet(?, hive_partitioning = true) group by 1"
    return {str(month)[:7]: str(amount) for month, amount in duckdb.connect().execute(sql, [files]).fetchall()}


def read(request):
    answer = {}
    for name in NET:
        answer[name] = {}
        try:
            table = DeltaTable(f"{request['store'].rstrip('/')}/{name}")
        except TableNotFoundError:
            continue
        newest = table.version()
        versions = range(newest + 1) if request["every_version"] else [newest]
        for version in versions:
            table.load_as_version(version)
            months = by_delta(name, table)
            answer[name][version] = months
            if "://" not in request["store"]:
                others = by_duckdb(name, table)
                same = {m: Decimal(a) for m, a in months.items()} == {m: Decimal(a) for m, a in others.items()}
                assert same, f"{name} {version}: deltalake has {months}, DuckDB {others}"
    return answer


for line in sys.stdin:
    print(json.dumps(read(json.loads(line))), flush=True)
