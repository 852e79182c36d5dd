"""The bill of the corpus: line items in files of every form that billstream reads as one source.

The files differ in format, order and set of columns, types, texts of missing values and forms of times. DuckDB gets
the same rows as a table with the types that billstream presents.
"""

import csv
import datetime
import gzip
import io
import json
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_FILE = 60
SERVICES = ("Kafka", "Flink", "Connect", "ksqlDB", "Größe, \"quoted\"")
TYPES = ("Usage", "Discount", "Credit", "Support", "CommittedUsePurchase")
REGIONS = ("eu-west-1", "us-east-1", None)
CURRENCIES = ("USD", "eur", "EUR", None)
TEAMS = ("core", "007", "a,b", None)
Row = dict[str, object]


def rows_of(number: int, digits: int) -> list[Row]:
    """Returns the line items of one file; amounts have at most `digits` decimals."""
    numbers = random.Random(number)
    rows = []
    for at in range(ROWS_PER_FILE):
        minutes = numbers.randrange(61 * 24 * 60)
        start = datetime.datetime(2026, 9, 1) + datetime.timedelta(minutes=minutes)
        amount = 2 * Decimal(numbers.randrange(-(10**6), 10**7)).scaleb(-digits)
        quantity = Decimal(numbers.randrange(10**6)).scaleb(-3)
        rows.append(
            {
                "lineitem/id": f"{number}-{at:03}",
                "lineitem/type": numbers.choice(TYPES),
                "time/usage_start": start,
                "resource/service": numbers.choice(SERVICES),
                "resource/region": numbers.choice(REGIONS),
                "usage/amount": numbers.choice((quantity, None)),
                "cost/cost": amount,
                "cost/discounted_cost": numbers.choice((amount / 2, None)),
                "currency": numbers.choice(CURRENCIES),
                "resource/tag:team": numbers.choice(TEAMS),
            }
        )
    return rows


def as_csv(rows: list[Row], columns: list[str], missing: str, form: str) -> bytes:
    """Returns a CSV with the columns in this order."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        cells = []
        for column in columns:
            match row[column]:
                case None:
                    cells.append(missing)
                case datetime.datetime() as time:
                    cells.append(time.strftime(form))
                case Decimal() as number:
                    cells.append(f"{number:f}")
                case other:
                    cells.append(other)
        writer.writerow(cells)
    return out.getvalue().encode()


def as_parquet(rows: list[Row], columns: list[str], types: dict[str, pa.DataType], path: Path) -> None:
    """Writes a Parquet file with the columns in this order."""
    arrays = {}
    for column in columns:
        values = [row[column] for row in rows]
        kind = types.get(column, pa.string())
        if pa.types.is_floating(kind):
            values = [None if value is None else float(value) for value in values]
        if pa.types.is_integer(kind):
            values = [None if value is None else int(value) for value in values]
        arrays[column] = pa.array(values, kind)
    pq.write_table(pa.table(arrays), path)


def write(folder: Path) -> list[Row]:
    """Writes the files, and returns their rows."""
    (folder / "sub folder").mkdir(parents=True)
    money = pa.decimal128(38, 12)
    parts = [rows_of(number, digits) for number, digits in enumerate((24, 12, 3, 9, 0, 6))]
    columns = list(parts[0][0])
    without_tags = [column for column in columns if column != "currency" and not column.startswith("resource/tag:")]
    (folder / "a.csv").write_bytes(as_csv(parts[0], columns, "", "%Y-%m-%dT%H:%M:%SZ"))
    shuffled = columns[::-1]
    (folder / "b.csv.gz").write_bytes(gzip.compress(as_csv(parts[1], shuffled, "NULL", "%Y-%m-%d %H:%M")))
    floats = {column: pa.float64() for column in ("cost/cost", "usage/amount")}
    floats |= {"time/usage_start": pa.timestamp("ms"), "cost/discounted_cost": money}
    as_parquet(parts[2], columns[3:] + columns[:3], floats, folder / "sub folder" / "c.PARQUET")
    decimals = {column: money for column in ("cost/cost", "cost/discounted_cost", "usage/amount")}
    decimals["time/usage_start"] = pa.timestamp("ns", "UTC")
    as_parquet(parts[3], without_tags, decimals, folder / "d.parquet")
    integers = {"cost/cost": pa.int64(), "cost/discounted_cost": money, "usage/amount": money}
    integers["time/usage_start"] = pa.timestamp("us")
    as_parquet(parts[4], shuffled, integers, folder / "e.parquet")
    (folder / "F.CSV").write_bytes(
        b"\xef\xbb\xbf" + as_csv(parts[5], columns[2:] + columns[:2], "N/A", "%Y-%m-%dT%H:%M+00:00")
    )
    for row in parts[3]:
        row["resource/tag:team"] = None
        row["currency"] = None
    return [row for part in parts for row in part]


def create_table(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    """Creates DuckDB's table `bill`."""
    connection.execute(
        "create table bill (connection varchar, billing_period varchar, \"lineitem/id\" varchar, "
        "\"lineitem/type\" varchar, \"time/usage_start\" timestamp, \"resource/service\" varchar, "
        "\"resource/region\" varchar, \"usage/amount\" decimal(38, 24), \"cost/cost\" decimal(38, 24), "
        "\"cost/discounted_cost\" decimal(38, 24), currency varchar, tags varchar)"
    )
    for row in rows:
        start, team = row["time/usage_start"], row["resource/tag:team"]
        tags = None if team is None else json.dumps({"team": team}, separators=(",", ":"))
        values = [value for name, value in row.items() if not name.startswith("resource/tag:")]
        connection.execute(
            "insert into bill values ('bill', ?, ?, ?, ?, ?, ?, cast(? as decimal(38, 24)), "
            "cast(? as decimal(38, 24)), cast(? as decimal(38, 24)), coalesce(upper(?), 'USD'), ?)",
            [f"{start:%Y-%m}", *(f"{v:f}" if isinstance(v, Decimal) else v for v in values), tags],
        )
