"""Runs the same queries in billstream and DuckDB on the same files, and compares the rows to the last digit.

    corpus.py --binary BILLSTREAM --store DIR --large-store DIR [--jobs N] [--only TEXT] [FILE.sql ...]

Without files it runs corpus/*.sql. DIR is a local store: `--store` from `import --demo`, and `--large-store` with
two months of about 1,500 costs per day, the second of which was imported twice, so that versions 1, 2 and 3 of its
tables differ:

    billstream sandbox --today 2026-11-23 --costs-per-day 1500
    billstream import --month 2026-09 --month 2026-10
    billstream sandbox --today 2026-11-23 --costs-per-day 1500 --revision 1     (instead of the first)
    billstream import --month 2026-10

A query starts with a line `-- name: its-name` and ends at the next one. Directives come before or after the SQL:

    -- rows: ordered|unordered    whether the order of rows is compared (default: unordered)
    -- store: demo|large|bill|focus     the queried store (default: demo); `bill` is `demo` with the source of
                               corpus_bill.py, `focus` is `demo` with its own export as a source
    -- param: name=value          a parameter of billstream's query; repeatable
    -- memory_mb: 64              BILLSTREAM_MEMORY_MB
    -- duckdb: select ...         DuckDB's query where the dialects differ;
    --     continued              continuation lines are indented by four
    -- empty: true                no rows are expected (otherwise they are a problem)
    -- error: part of it          billstream must fail with this error; DuckDB is not queried

DuckDB has `costs`, `line_items`, the raw rows of the export as `exported`, and `line_items_at(month, version)` over the Parquet files of the Delta log. For
exact products and quotients its SQL may use `units(decimal)`, the digits as a whole number, and
`placed(units, places)`, such a number as the text of a decimal. Exits with 1 when anything differs.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import corpus_bill
import duckdb
from deltalake import DeltaTable

# Cells as text; None is NULL.
Row = tuple[str | None, ...]

DIRECTIVE = re.compile(r"^-- (name|rows|store|memory_mb|param|duckdb|empty|error): (.*)$")
CONTINUATION = re.compile(r"^-- {4,}(.*)$")
TIMESTAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z?$")
# A query that takes longer hangs: billstream has to stop it before.
QUERY_TIMEOUT_SECS = 60
HANG_SECS = 90
SHOWN_ROWS = 5
# Queries per process, if they are expected to succeed with the default memory.
BATCH_SIZE = 20
MARK = "end of query"
# On whole numbers, because DuckDB multiplies and divides decimals as floats or not at all.
MACROS = (
    "units(x) as cast(replace(cast(x as varchar), '.', '') as hugeint)",
    "ten_to(n) as cast('1' || repeat('0', n) as hugeint)",
    "placed(units, places) as if(units < 0, '-', '') || (abs(units) // ten_to(places))::varchar || '.' "
    "|| lpad((abs(units) % ten_to(places))::varchar, places, '0')",
)


@dataclass
class Query:
    """Query of the corpus."""

    name: str
    file: str
    ordered: bool = False
    store: str = "demo"
    memory_mb: int | None = None
    parameters: list[str] = field(default_factory=list)
    duckdb: str | None = None
    empty: bool = False
    error: str | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """SQL for billstream."""
        return "\n".join(self.lines).strip().rstrip(";")


@dataclass
class QueryResult:
    """Rows or error of billstream."""

    rows: list[Row]
    error: str | None


@dataclass
class Outcome:
    """Outcome of a query; as expected without a problem."""

    query: Query
    problem: str | None
    seconds: float


@dataclass
class Store:
    """Store, and the bill or the export that is queried beside it."""

    path: Path
    source: Path | None = None
    source_name: str = "bill"
    bill: list[corpus_bill.Row] = field(default_factory=list)


class CorpusError(Exception):
    """Invalid corpus or arguments."""


def parse(path: Path) -> list[Query]:
    """Parses the queries of one file."""
    queries: list[Query] = []
    in_duckdb = False
    for line in path.read_text().splitlines():
        directive = DIRECTIVE.match(line)
        more = CONTINUATION.match(line)
        if directive and directive[1] == "name":
            queries.append(Query(directive[2].strip(), path.name))
        elif not queries:
            if line and not line.startswith("--"):
                raise CorpusError(f"{path.name}: SQL before the first `-- name:`")
        elif directive:
            apply_directive(queries[-1], directive[1], directive[2].strip())
        elif more and in_duckdb:
            queries[-1].duckdb = f"{queries[-1].duckdb} {more[1]}"
        elif not line.startswith("--"):
            queries[-1].lines.append(line)
        in_duckdb = bool(directive and directive[1] == "duckdb") or bool(more and in_duckdb)
    return queries


def apply_directive(query: Query, key: str, value: str) -> None:
    """Applies one directive."""
    allowed = {"rows": ("ordered", "unordered"), "store": ("demo", "large", "bill", "focus"), "empty": ("true",)}
    if key in allowed and value not in allowed[key]:
        raise CorpusError(f"{query.file}: {query.name}: `{key}: {value}`")
    match key:
        case "rows":
            query.ordered = value == "ordered"
        case "store":
            query.store = value
        case "memory_mb":
            query.memory_mb = int(value)
        case "param":
            query.parameters.append(value)
        case "duckdb":
            query.duckdb = value
        case "empty":
            query.empty = True
        case "error":
            query.error = value


def load(paths: Iterable[Path]) -> list[Query]:
    """Loads the queries of all files; names are unique."""
    queries = [query for path in sorted(paths) for query in parse(path)]
    for name, count in Counter(query.name for query in queries).items():
        if count > 1:
            raise CorpusError(f"{count} queries are named {name}")
    for query in queries:
        if not query.sql:
            raise CorpusError(f"{query.file}: {query.name}: no SQL")
    return queries


def select_from(files: list[str]) -> str:
    """Returns SQL that reads Parquet files with the partition columns last, as in billstream."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    types = "{'connection': varchar, 'billing_period': varchar}"
    return (
        "select * exclude (connection, billing_period), connection, billing_period "
        f"from read_parquet([{names}], hive_partitioning = true, hive_types = {types})"
    )


def versions(store: Path, name: str) -> dict[int, list[str]]:
    """Returns the files of every non-empty version of a table."""
    table = DeltaTable(str(store / name))
    files: dict[int, list[str]] = {}
    for version in range(table.version() + 1):
        table.load_as_version(version)
        if uris := table.file_uris():
            files[version] = uris
    return files


def connect_duckdb(store: Store) -> duckdb.DuckDBPyConnection:
    """Connects DuckDB to the files of a store."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    # DuckDB 2.0.0 drops a filter on billing_period before `sum(...) over (partition by ...)` with it.
    connection.execute("set disabled_optimizers = 'window_self_join'")
    # NULLs as in billstream: last in ascending order, first in descending order.
    connection.execute("set default_null_order = 'nulls_last_on_asc_first_on_desc'")
    for name in ("costs", "line_items"):
        files = versions(store.path, name)
        connection.execute(f"create view {name} as {select_from(files[max(files)])}")
        parts = (f"select *, {version} as v from ({select_from(uris)})" for version, uris in files.items())
        connection.execute(f"create view {name}_versions as {' union all by name '.join(parts)}")
    connection.execute(
        "create macro line_items_at(month, version) as table "
        "select * exclude (v) from line_items_versions where v = version and billing_period = month"
    )
    for macro in MACROS:
        connection.execute(f"create macro {macro}")
    if store.bill:
        corpus_bill.create_table(connection, store.bill)
    if store.source_name == "focus":
        files = f"{store.source}/data/*/*.parquet"
        connection.execute(f"create view exported as select * from read_parquet('{files}', hive_partitioning = false)")
    return connection


def text(cell: object) -> str | None:
    """Returns a cell in the common form of both sides."""
    match cell:
        case None:
            return None
        case bool():
            return "true" if cell else "false"
        case Decimal():
            plain = f"{cell:f}"
            if "." in plain:
                plain = plain.rstrip("0").rstrip(".")
            return "0" if plain == "-0" else plain
        case datetime.datetime():
            return text(cell.replace(tzinfo=None).isoformat())
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case float():
            return repr(cell)
        case int():
            return str(cell)
        case str():
            stamp = TIMESTAMP.match(cell)
            return stamp[1] + (stamp[2] or "").rstrip("0").rstrip(".") if stamp else cell
    raise CorpusError(f"a cell of type {type(cell).__name__} can't be compared: {cell!r}")


def query_duckdb(connection: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
    """Returns DuckDB's rows."""
    table = connection.cursor().sql(query.duckdb or query.sql).to_arrow_table()
    columns = [column.to_pylist() for column in table.columns]
    return [tuple(text(cell) for cell in row) for row in zip(*columns)]


def environment(memory_mb: int | None, store: Store) -> dict[str, str]:
    """Returns the environment for billstream, without the user's settings."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("BILLSTREAM_")}
    if store.source:
        variables["BILLSTREAM_SOURCES"] = f"{store.source_name}={store.source}"
    variables["BILLSTREAM_QUERY_TIMEOUT_SECS"] = str(QUERY_TIMEOUT_SECS)
    if memory_mb:
        variables["BILLSTREAM_MEMORY_MB"] = str(memory_mb)
    return variables


def run_billstream(
    binary: Path, store: Store, sql: str, memory_mb: int | None, seconds: int, parameters: list[str] | None = None
) -> tuple[str, str | None]:
    """Returns billstream's output and its error."""
    command = [str(binary), "query", "--store", str(store.path), "--format", "ndjson", sql]
    for parameter in parameters or []:
        command += ["--param", parameter]
    try:
        done = subprocess.run(
            command, env=environment(memory_mb, store), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return "", f"hangs: no result after {seconds} seconds"
    if done.returncode != 0:
        return done.stdout, f"exit code {done.returncode}: {done.stderr.strip()}"
    return done.stdout, None


def rows_of(lines: Iterable[str]) -> list[Row]:
    """Parses NDJSON rows; as pairs, because two columns may have the same name."""
    rows = (json.loads(line, object_pairs_hook=list) for line in lines if line)
    return [tuple(text(cell) for _, cell in row) for row in rows]


def query_alone(binary: Path, store: Store, query: Query) -> QueryResult:
    """Runs one query in a separate process."""
    printed, error = run_billstream(binary, store, query.sql, query.memory_mb, HANG_SECS, query.parameters)
    return QueryResult([] if error else rows_of(printed.split("\n")), error)


def query_batch(binary: Path, store: Store, queries: list[Query]) -> dict[str, QueryResult]:
    """Runs queries in one process, separated by marks; returns the results that are complete."""
    sql = ";\n".join(f"{query.sql};\nselect '{query.name}' as \"{MARK}\"" for query in queries)
    printed, _ = run_billstream(binary, store, sql, None, HANG_SECS * 2)
    results: dict[str, QueryResult] = {}
    lines: list[str] = []
    for line in printed.split("\n"):
        if line.startswith(f'{{"{MARK}":'):
            results[json.loads(line)[MARK]] = QueryResult(rows_of(lines), None)
            lines = []
        else:
            lines.append(line)
    return results


def shown(sign: str, rows: list[Row]) -> list[str]:
    """Returns a few rows for display."""
    lines = [f"  {sign} {json.dumps(row, ensure_ascii=False)}" for row in rows[:SHOWN_ROWS]]
    if len(rows) > SHOWN_ROWS:
        lines.append(f"  {sign} ... and {len(rows) - SHOWN_ROWS} more")
    return lines


def difference(query: Query, found: list[Row], expected: list[Row]) -> str | None:
    """Returns the differences between billstream's rows and DuckDB's, None if there are none."""
    if found == expected:
        return None
    extra = list((Counter(found) - Counter(expected)).elements())
    missing = list((Counter(expected) - Counter(found)).elements())
    if extra or missing:
        head = f"{len(found)} rows, DuckDB has {len(expected)}; + billstream only, - DuckDB only"
        return "\n".join([head, *shown("+", extra), *shown("-", missing)])
    if not query.ordered:
        return None
    at = next(i for i, (ours, theirs) in enumerate(zip(found, expected)) if ours != theirs)
    head = f"the same rows in another order, from row {at + 1} on"
    return "\n".join([head, *shown("+", found[at:]), *shown("-", expected[at:])])


def expected_error(query: Query, result: QueryResult) -> str | None:
    """Returns the problem of a query that must fail, None if it failed as expected."""
    if result.error is None:
        head = f"{len(result.rows)} rows instead of the error `{query.error}`"
        return "\n".join([head, *shown("+", result.rows)])
    # Data or arguments: a query must not fail with another code.
    code, _, words = result.error.partition(": ")
    if code in ("exit code 1", "exit code 2") and query.error in words:
        return None
    return f"{result.error} instead of the error `{query.error}`"


def find_problem(query: Query, result: QueryResult, connection: duckdb.DuckDBPyConnection) -> str | None:
    """Returns the problem of a result, None if it is as expected."""
    if query.error is not None:
        return expected_error(query, result)
    try:
        expected = query_duckdb(connection, query)
    except duckdb.Error as error:
        return f"DuckDB rejects it: {error}"
    if result.error is not None:
        return "\n".join([result.error, *shown("-", expected)])
    if not expected and not result.rows and not query.empty:
        return "no rows on either side, and no `-- empty: true`"
    return difference(query, result.rows, expected)


def batches(queries: list[Query]) -> list[list[Query]]:
    """Groups queries by process: those of one store without special settings share one."""
    def needs_process(query: Query) -> bool:
        return bool(query.memory_mb or query.parameters or query.error is not None)

    alone = [[query] for query in queries if needs_process(query)]
    shared = []
    for store in dict.fromkeys(query.store for query in queries):
        plain = [q for q in queries if q.store == store and not needs_process(q)]
        shared += [plain[at : at + BATCH_SIZE] for at in range(0, len(plain), BATCH_SIZE)]
    return alone + shared


def run(queries: list[Query], binary: Path, stores: dict[str, Store], jobs: int) -> list[Outcome]:
    """Runs all queries, several processes at a time."""
    connections = {name: connect_duckdb(stores[name]) for name in {query.store for query in queries}}

    def batch(queries: list[Query]) -> list[Outcome]:
        store = queries[0].store
        results = query_batch(binary, stores[store], queries) if len(queries) > 1 else {}
        outcomes = []
        for query in queries:
            start = time.monotonic()
            try:
                # A query without a result, because another one of its batch failed, runs again.
                result = results.get(query.name) or query_alone(binary, stores[store], query)
                problem = find_problem(query, result, connections[store])
            except (CorpusError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
            outcomes.append(Outcome(query, problem, time.monotonic() - start))
        return outcomes

    with ThreadPoolExecutor(jobs) as pool:
        return [outcome for outcomes in pool.map(batch, batches(queries)) for outcome in outcomes]


def report(outcomes: list[Outcome], slow: bool) -> int:
    """Prints differences and summary; returns the exit code."""
    for outcome in outcomes:
        query = outcome.query
        if outcome.problem is not None:
            print(f"{query.file}: {query.name}: {outcome.problem}\n  {query.sql}\n")
    if slow:
        for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds)[:10]:
            print(f"{outcome.seconds:6.1f} s  {outcome.query.file}: {outcome.query.name}")
    good = [outcome.query for outcome in outcomes if outcome.problem is None]
    errors = sum(query.error is not None for query in good)
    words = f"{len(outcomes)} queries, {len(good) - errors} equal, {errors} ended with the expected error"
    if len(good) < len(outcomes):
        words += f", {len(outcomes) - len(good)} not as expected"
    print(words)
    return 0 if len(good) == len(outcomes) else 1


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="billstream")
    parser.add_argument("--store", type=Path, required=True, help="the store `demo`")
    parser.add_argument("--large-store", type=Path, required=True, help="the store `large`")
    parser.add_argument("--jobs", type=int, default=2, help="queries at a time")
    parser.add_argument("--only", help="only queries with this text in their name")
    parser.add_argument("--slow", action="store_true", help="show the slowest queries as well")
    parser.add_argument("files", type=Path, nargs="*", help="files of queries")
    return parser.parse_args()


def export(binary: Path, store: Path, folder: Path) -> Store:
    """Exports a store in the FOCUS format, to be queried as a source."""
    command = [str(binary), "export", "focus", str(folder), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CorpusError(f"the export fails: {done.stderr.strip()}")
    return Store(store, folder, "focus")


def main() -> int:
    """Runs the corpus."""
    options = arguments()
    stores = {"demo": Store(options.store), "large": Store(options.large_store)}
    folder = tempfile.TemporaryDirectory()
    try:
        files = Path(folder.name) / "bill"
        stores["bill"] = Store(options.store, files, bill=corpus_bill.write(files))
        stores["focus"] = export(options.binary, options.store, Path(folder.name) / "focus")
        queries = load(options.files or (Path(__file__).parent / "corpus").glob("*.sql"))
        queries = [query for query in queries if not options.only or options.only in query.name]
        if not queries:
            raise CorpusError("no queries")
        return report(run(queries, options.binary, stores, options.jobs), options.slow)
    except CorpusError as error:
        print(f"corpus: {error}", file=sys.stderr)
        return 2
    finally:
        folder.cleanup()


if __name__ == "__main__":
    sys.exit(main())
