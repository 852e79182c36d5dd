"""Asks billstream and DuckDB the same queries of the same files, and compares the rows to the last digit.

    corpus.py --binary BILLSTREAM --store DIR --large-store DIR [--jobs N] [--only TEXT] [FILE.sql ...]

Without files it takes corpus/*.sql. DIR is a local store: `--store` one made by `import --demo`, and
`--large-store` one of two months with some 1,500 costs a day, the second of which was imported twice,
so that versions 1, 2 and 3 of its tables differ:

    billstream sandbox --today 2026-11-23 --costs-per-day 1500
    billstream import --month 2026-09 --month 2026-10
    billstream sandbox --today 2026-11-23 --costs-per-day 1500 --revision 1     (in its place)
    billstream import --month 2026-10

A query starts with a line `-- name: its-name` and ends where the next one starts. Its directives stand
before or after its SQL:

    -- rows: ordered|unordered    do the rows have one order? (unordered when not said)
    -- store: demo|large          the store that it is asked of (demo when not said)
    -- memory_mb: 64              BILLSTREAM_MEMORY_MB
    -- duckdb: select ...         what DuckDB is asked instead, when the dialects differ;
    --     goes on                lines indented by four belong to it
    -- empty: true                no row is the right answer (else it is taken for a mistake)
    -- error: part of it          billstream has to end with this error, and DuckDB is not asked

DuckDB sees `costs`, `line_items` and `line_items_at(month, version)` over the Parquet files that the
Delta log names. For exact products and quotients its SQL may use `units(decimal)`, the digits as a whole
number, and `placed(units, places)`, such a number as the text of a decimal. Exit code 1 when anything differs.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import duckdb
from deltalake import DeltaTable

# A cell as text; None is NULL.
Row = tuple[str | None, ...]

DIRECTIVE = re.compile(r"^-- (name|rows|store|memory_mb|duckdb|empty|error): (.*)$")
CONTINUATION = re.compile(r"^-- {4,}(.*)$")
TIMESTAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z?$")
# Past this a query hangs: billstream has to end it by itself before.
QUERY_TIMEOUT_SECS = 60
HANG_SECS = 90
SHOWN_ROWS = 5
# So many queries share a process, when they are expected to succeed with the default memory.
TOGETHER = 20
MARK = "end of query"
# Whole numbers, because DuckDB multiplies and divides decimals by floats or not at all.
MACROS = (
    "units(x) as cast(replace(cast(x as varchar), '.', '') as hugeint)",
    "ten_to(n) as cast('1' || repeat('0', n) as hugeint)",
    "placed(units, places) as if(units < 0, '-', '') || (abs(units) // ten_to(places))::varchar || '.' "
    "|| lpad((abs(units) % ten_to(places))::varchar, places, '0')",
)


@dataclass
class Query:
    """One query of the corpus."""

    name: str
    file: str
    ordered: bool = False
    store: str = "demo"
    memory_mb: int | None = None
    duckdb: str | None = None
    empty: bool = False
    error: str | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """The SQL that billstream is asked."""
        return "\n".join(self.lines).strip().rstrip(";")


@dataclass
class Answer:
    """billstream's rows, or its error."""

    rows: list[Row]
    error: str | None


@dataclass
class Outcome:
    """How a query ended: without trouble it is as expected."""

    query: Query
    trouble: str | None
    seconds: float


class Mistake(Exception):
    """The corpus or its arguments can't be used as they are."""


def parse(path: Path) -> list[Query]:
    """The queries of one file."""
    queries: list[Query] = []
    in_duckdb = False
    for line in path.read_text().splitlines():
        directive = DIRECTIVE.match(line)
        more = CONTINUATION.match(line)
        if directive and directive[1] == "name":
            queries.append(Query(directive[2].strip(), path.name))
        elif not queries:
            if line and not line.startswith("--"):
                raise Mistake(f"{path.name}: SQL before the first `-- name:`")
        elif directive:
            direct(queries[-1], directive[1], directive[2].strip())
        elif more and in_duckdb:
            queries[-1].duckdb = f"{queries[-1].duckdb} {more[1]}"
        elif not line.startswith("--"):
            queries[-1].lines.append(line)
        in_duckdb = bool(directive and directive[1] == "duckdb") or bool(more and in_duckdb)
    return queries


def direct(query: Query, key: str, value: str) -> None:
    """Applies one directive."""
    allowed = {"rows": ("ordered", "unordered"), "store": ("demo", "large"), "empty": ("true",)}
    if key in allowed and value not in allowed[key]:
        raise Mistake(f"{query.file}: {query.name}: `{key}: {value}`")
    match key:
        case "rows":
            query.ordered = value == "ordered"
        case "store":
            query.store = value
        case "memory_mb":
            query.memory_mb = int(value)
        case "duckdb":
            query.duckdb = value
        case "empty":
            query.empty = True
        case "error":
            query.error = value


def load(paths: Iterable[Path]) -> list[Query]:
    """The queries of all files; names are unique."""
    queries = [query for path in sorted(paths) for query in parse(path)]
    for name, count in Counter(query.name for query in queries).items():
        if count > 1:
            raise Mistake(f"{count} queries are named {name}")
    for query in queries:
        if not query.sql:
            raise Mistake(f"{query.file}: {query.name}: no SQL")
    return queries


def reads(files: list[str]) -> str:
    """SQL that reads Parquet files with the partition columns last, as billstream has them."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    types = "{'connection': varchar, 'billing_period': varchar}"
    return (
        "select * exclude (connection, billing_period), connection, billing_period "
        f"from read_parquet([{names}], hive_partitioning = true, hive_types = {types})"
    )


def versions(store: Path, name: str) -> dict[int, list[str]]:
    """The files of every version of a table that has any."""
    table = DeltaTable(str(store / name))
    files: dict[int, list[str]] = {}
    for version in range(table.version() + 1):
        table.load_as_version(version)
        if uris := table.file_uris():
            files[version] = uris
    return files


def oracle(store: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over the files of a store."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    # DuckDB 2.0.0 drops a filter on billing_period before `sum(...) over (partition by ...)` with it.
    connection.execute("set disabled_optimizers = 'window_self_join'")
    # As in billstream: NULLs last in ascending order, first in descending order.
    connection.execute("set default_null_order = 'nulls_last_on_asc_first_on_desc'")
    for name in ("costs", "line_items"):
        files = versions(store, name)
        connection.execute(f"create view {name} as {reads(files[max(files)])}")
        parts = (f"select *, {version} as v from ({reads(uris)})" for version, uris in files.items())
        connection.execute(f"create view {name}_versions as {' union all by name '.join(parts)}")
    connection.execute(
        "create macro line_items_at(month, version) as table "
        "select * exclude (v) from line_items_versions where v = version and billing_period = month"
    )
    for macro in MACROS:
        connection.execute(f"create macro {macro}")
    return connection


def text(cell: object) -> str | None:
    """A cell in the one form that both sides are compared in."""
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
    raise Mistake(f"a cell of type {type(cell).__name__} can't be compared: {cell!r}")


def ask_duckdb(connection: duckdb.DuckDBPyConnection, query: Query) -> list[Row]:
    """DuckDB's rows."""
    table = connection.cursor().sql(query.duckdb or query.sql).to_arrow_table()
    columns = [column.to_pylist() for column in table.columns]
    return [tuple(text(cell) for cell in row) for row in zip(*columns)]


def environment(memory_mb: int | None) -> dict[str, str]:
    """The environment of billstream: nobody's own settings."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("BILLSTREAM_")}
    variables["BILLSTREAM_QUERY_TIMEOUT_SECS"] = str(QUERY_TIMEOUT_SECS)
    if memory_mb:
        variables["BILLSTREAM_MEMORY_MB"] = str(memory_mb)
    return variables


def output(binary: Path, store: Path, sql: str, memory_mb: int | None, seconds: int) -> tuple[str, str | None]:
    """What billstream prints, and its error."""
    command = [str(binary), "query", "--store", str(store), "--format", "ndjson", sql]
    try:
        done = subprocess.run(
            command, env=environment(memory_mb), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return "", f"it hangs: no end after {seconds} seconds"
    if done.returncode != 0:
        return done.stdout, f"exit code {done.returncode}: {done.stderr.strip()}"
    return done.stdout, None


def rows_of(lines: Iterable[str]) -> list[Row]:
    """The rows that NDJSON says: pairs at first, because two columns may have one name."""
    rows = (json.loads(line, object_pairs_hook=list) for line in lines if line)
    return [tuple(text(cell) for _, cell in row) for row in rows]


def ask_alone(binary: Path, store: Path, query: Query) -> Answer:
    """One query in a process of its own."""
    printed, error = output(binary, store, query.sql, query.memory_mb, HANG_SECS)
    return Answer([] if error else rows_of(printed.split("\n")), error)


def ask_together(binary: Path, store: Path, queries: list[Query]) -> dict[str, Answer]:
    """Several queries in one process, parted by marks. Only of those that were answered wholly."""
    sql = ";\n".join(f"{query.sql};\nselect '{query.name}' as \"{MARK}\"" for query in queries)
    printed, _ = output(binary, store, sql, None, HANG_SECS * 2)
    answers: dict[str, Answer] = {}
    lines: list[str] = []
    for line in printed.split("\n"):
        if line.startswith(f'{{"{MARK}":'):
            answers[json.loads(line)[MARK]] = Answer(rows_of(lines), None)
            lines = []
        else:
            lines.append(line)
    return answers


def shown(sign: str, rows: list[Row]) -> list[str]:
    """A few rows, for people."""
    lines = [f"  {sign} {json.dumps(row, ensure_ascii=False)}" for row in rows[:SHOWN_ROWS]]
    if len(rows) > SHOWN_ROWS:
        lines.append(f"  {sign} ... and {len(rows) - SHOWN_ROWS} more")
    return lines


def difference(query: Query, found: list[Row], expected: list[Row]) -> str | None:
    """What differs between billstream's rows and DuckDB's, None when nothing does."""
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


def expected_error(query: Query, answer: Answer) -> str | None:
    """What is wrong with a query that has to end with an error."""
    if answer.error is None:
        head = f"{len(answer.rows)} rows instead of the error `{query.error}`"
        return "\n".join([head, *shown("+", answer.rows)])
    # Data, or arguments: any other code is not an error that a query may end with.
    code, _, words = answer.error.partition(": ")
    if code in ("exit code 1", "exit code 2") and query.error in words:
        return None
    return f"not the error `{query.error}` but {answer.error}"


def judge(query: Query, answer: Answer, connection: duckdb.DuckDBPyConnection) -> str | None:
    """What is wrong with an answer, None when it is as expected."""
    if query.error is not None:
        return expected_error(query, answer)
    try:
        expected = ask_duckdb(connection, query)
    except duckdb.Error as refused:
        return f"DuckDB refuses it: {refused}"
    if answer.error is not None:
        return "\n".join([answer.error, *shown("-", expected)])
    if not expected and not answer.rows and not query.empty:
        return "no rows on either side, and no `-- empty: true`"
    return difference(query, answer.rows, expected)


def batches(queries: list[Query]) -> list[list[Query]]:
    """Queries that are asked in one process: of one store, nothing special about any."""
    alone = [[query] for query in queries if query.memory_mb or query.error is not None]
    shared = []
    for store in dict.fromkeys(query.store for query in queries):
        plain = [q for q in queries if q.store == store and not q.memory_mb and q.error is None]
        shared += [plain[at : at + TOGETHER] for at in range(0, len(plain), TOGETHER)]
    return alone + shared


def run(queries: list[Query], binary: Path, stores: dict[str, Path], jobs: int) -> list[Outcome]:
    """Asks all queries, several processes at a time."""
    oracles = {name: oracle(stores[name]) for name in {query.store for query in queries}}

    def batch(queries: list[Query]) -> list[Outcome]:
        store = queries[0].store
        answers = ask_together(binary, stores[store], queries) if len(queries) > 1 else {}
        outcomes = []
        for query in queries:
            start = time.monotonic()
            try:
                # What a mistake of another query left unanswered is asked again.
                answer = answers.get(query.name) or ask_alone(binary, stores[store], query)
                trouble = judge(query, answer, oracles[store])
            except (Mistake, ValueError) as why:
                trouble = f"{type(why).__name__}: {why}"
            outcomes.append(Outcome(query, trouble, time.monotonic() - start))
        return outcomes

    with ThreadPoolExecutor(jobs) as pool:
        return [outcome for outcomes in pool.map(batch, batches(queries)) for outcome in outcomes]


def report(outcomes: list[Outcome], slow: bool) -> int:
    """Prints what differs and the summary; the exit code."""
    for outcome in outcomes:
        query = outcome.query
        if outcome.trouble is not None:
            print(f"{query.file}: {query.name}: {outcome.trouble}\n  {query.sql}\n")
    if slow:
        for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds)[:10]:
            print(f"{outcome.seconds:6.1f} s  {outcome.query.file}: {outcome.query.name}")
    good = [outcome.query for outcome in outcomes if outcome.trouble is None]
    errors = sum(query.error is not None for query in good)
    words = f"{len(outcomes)} queries, {len(good) - errors} equal, {errors} ended with the expected error"
    if len(good) < len(outcomes):
        words += f", {len(outcomes) - len(good)} not as expected"
    print(words)
    return 0 if len(good) == len(outcomes) else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="billstream")
    parser.add_argument("--store", type=Path, required=True, help="the store `demo`")
    parser.add_argument("--large-store", type=Path, required=True, help="the store `large`")
    parser.add_argument("--jobs", type=int, default=2, help="queries at a time")
    parser.add_argument("--only", help="only queries with this text in their name")
    parser.add_argument("--slow", action="store_true", help="show the slowest queries as well")
    parser.add_argument("files", type=Path, nargs="*", help="files of queries")
    return parser.parse_args()


def main() -> int:
    """Runs the corpus."""
    options = arguments()
    stores = {"demo": options.store, "large": options.large_store}
    try:
        queries = load(options.files or (Path(__file__).parent / "corpus").glob("*.sql"))
        queries = [query for query in queries if not options.only or options.only in query.name]
        if not queries:
            raise Mistake("no queries")
        return report(run(queries, options.binary, stores, options.jobs), options.slow)
    except Mistake as mistake:
        print(f"corpus: {mistake}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
