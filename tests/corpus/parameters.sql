-- Parameters: text that takes the type of what it is compared with, and forced types.

-- name: param-text-column
-- param: t=KAFKA_BASE
-- duckdb: select count(*), sum(amount) from costs where line_type = 'KAFKA_BASE'
select count(*), sum(amount) from costs where line_type = $t

-- name: param-number-beside-decimal
-- param: x=5
-- duckdb: select count(*), sum(amount) from costs where amount > 5
select count(*), sum(amount) from costs where amount > $x

-- name: param-exponent-beside-decimal
-- param: x=15e-1
-- duckdb: select count(*), sum(amount) from costs where amount > 1.5
select count(*), sum(amount) from costs where amount > $x

-- name: param-many-digits
-- param: x=0.602400000000000000000001
-- duckdb: select count(*), sum(amount) from costs where amount <= cast('0.602400000000000000000001' as decimal(38, 24))
select count(*), sum(amount) from costs where amount <= $x

-- name: param-negative
-- param: x=-0.5
-- duckdb: select count(*), sum(amount) from costs where amount < -0.5
select count(*), sum(amount) from costs where amount < $x

-- name: param-in-list
-- param: a=KAFKA_BASE
-- param: b=KAFKA_STORAGE
-- duckdb: select count(*), sum(amount) from costs where line_type in ('KAFKA_BASE', 'KAFKA_STORAGE')
select count(*), sum(amount) from costs where line_type in ($a, $b)

-- name: param-between-decimals
-- param: a=1
-- param: b=2.5
-- duckdb: select count(*), sum(amount) from costs where amount between 1 and 2.5
select count(*), sum(amount) from costs where amount between $a and $b

-- name: param-between-dates
-- param: a=2026-10-03
-- param: b=2026-10-09
-- duckdb: select count(*), sum(amount) from costs where start_date between date '2026-10-03' and date '2026-10-09'
select count(*), sum(amount) from costs where start_date between $a and $b

-- name: param-typed-date
-- param: d:date=2026-10-03
-- duckdb: select count(*), sum(amount) from costs where start_date = date '2026-10-03'
select count(*), sum(amount) from costs where start_date = $d

-- name: param-timestamp
-- param: t:timestamp=2026-10-30T00:00:00Z
-- duckdb: select count(*), sum("cost/cost") from line_items where "time/usage_start" >= timestamptz '2026-10-30 00:00:00+00'
select count(*), sum("cost/cost") from line_items where "time/usage_start" >= $t

-- name: param-like
-- param: p=KAFKA_%
-- duckdb: select count(*), sum(amount) from costs where line_type like 'KAFKA_%'
select count(*), sum(amount) from costs where line_type like $p

-- name: param-word-null
-- param: v=null
-- duckdb: select count(*), sum(amount) from costs where coalesce(unit, 'null') = 'null'
select count(*), sum(amount) from costs where coalesce(unit, 'null') = $v

-- name: param-null
-- param: v:null=
-- duckdb: select count(*) from costs where resource_id is null
select count(*) from costs where resource_id is not distinct from $v

-- name: param-leading-zeros
-- param: v=007
-- duckdb: select count(*) from (values ('007'), ('7'), ('07')) as v(word) where word = '007'
select count(*) from (values ('007'), ('7'), ('07')) as v(word) where word = $v

-- name: param-bool
-- param: b=true
-- duckdb: select count(*) from costs where amount < 0
select count(*) from costs where (amount < 0) = $b

-- name: param-limit
-- rows: ordered
-- param: n=7
-- duckdb: select record_id from costs order by record_id limit 7
select record_id from costs order by record_id limit $n

-- name: param-arithmetic
-- param: x=0.25
-- duckdb: select sum(amount) from costs where amount + 0.25 > 100
select sum(amount) from costs where amount + $x > 100

-- name: param-having
-- param: n=500
-- duckdb: select line_type, count(*) from costs group by 1 having count(*) > 500
select line_type, count(*) from costs group by 1 having count(*) > $n

-- name: param-subquery
-- param: x=200
-- duckdb: select count(*), sum(amount) from costs where line_type in (select line_type from costs where amount > 200)
select count(*), sum(amount) from costs where line_type in (select line_type from costs where amount > $x)

-- name: param-two-types
-- param: x=5
-- param: y=5
-- duckdb: select count(*), sum(amount) from costs where amount > 5 and line_type <> '5'
select count(*), sum(amount) from costs where amount > $x and line_type <> $y

-- name: param-cte
-- param: x=99.5
-- duckdb: with big as (select * from costs where amount > 99.5) select count(*), min(amount) from big
with big as (select * from costs where amount > $x) select count(*), min(amount) from big

-- name: param-no-number
-- error: the parameter $x is used as a number, which `many` is not
-- param: x=many
select count(*), sum(amount) from costs where amount > $x

-- name: param-text-beside-number
-- error: is the text `5`, but is used as a number
-- param: x:text=5
select count(*), sum(amount) from costs where amount > $x

-- name: param-too-many-digits
-- error: is used as a number
-- param: x=0.0000000000000000000000001
select count(*), sum(amount) from costs where amount > $x

-- name: param-unknown-type
-- error: has the unknown type `number`
-- param: x:number=5
select count(*), sum(amount) from costs where amount > $x

-- name: param-number-and-text
-- error: is used as
-- param: x=5
select count(*), sum(amount) from costs where amount > $x or line_type = $x
