-- Values near the limits of decimal(38, 24): exact, or an error that names the reason.

-- name: limit-largest-value
select x, -x, abs(-x), x = 99999999999999.999999999999999999999999 from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24)))) as v(x)

-- name: limit-smallest-step
select x, -x, x + x, x - x, x > 0, x = 0.000000000000000000000001 from (values (cast('0.000000000000000000000001' as decimal(38, 24)))) as v(x)

-- name: limit-steps-beside-each-other
select count(*) filter (where x = 70000000000000.000000000000000000000001), min(x), max(x), max(x) - min(x), count(distinct x)
from (values (cast('70000000000000.000000000000000000000001' as decimal(38, 24))), (cast('70000000000000.000000000000000000000002' as decimal(38, 24))),
      (cast('70000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-just-inside
select sum(x) from (values (cast('49999999999999.999999999999999999999999' as decimal(38, 24))), (cast('50000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-just-inside-negative
select sum(x) from (values (cast('-49999999999999.999999999999999999999999' as decimal(38, 24))), (cast('-50000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-that-cancels
select sum(x), sum(-x) from (values (cast('90000000000000.000000000000000000000001' as decimal(38, 24))), (cast('-90000000000000' as decimal(38, 24))),
       (cast('90000000000000' as decimal(38, 24))), (cast('-90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-of-one-digit-too-many
-- error: too large
select sum(x) from (values (cast('60000000000000' as decimal(38, 24))), (cast('60000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-past-the-type
-- error: too large
select sum(x) from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-wraps-twice
-- error: too large
select sum(x) from (values (cast('99999999999999' as decimal(38, 24))), (cast('99999999999999' as decimal(38, 24))), (cast('99999999999999' as decimal(38, 24))),
       (cast('99999999999999' as decimal(38, 24)))) as v(x)

-- name: limit-negative-sum-past-the-type
-- error: too large
select sum(x) from (values (cast('-90000000000000' as decimal(38, 24))), (cast('-90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-in-groups
-- error: too large
select n, sum(x) from (values (1, cast('90000000000000' as decimal(38, 24))), (2, cast('1' as decimal(38, 24))), (1, cast('90000000000000' as decimal(38, 24)))) as v(n, x) group by n

-- name: limit-sum-of-millions-of-costs
-- error: too large
select sum(x) from (select cast('50000000000' as decimal(38, 24)) as x from costs) as t

-- name: limit-sum-in-groups-of-costs
-- error: too large
select product, sum(x) from (select product, cast('50000000000' as decimal(38, 24)) as x from costs) as t group by product

-- name: limit-sum-distinct
-- error: too large
select sum(distinct x) from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000001' as decimal(38, 24)))) as v(x)

-- name: limit-sum-filtered
-- error: too large
select sum(x) filter (where x > 1) from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000001' as decimal(38, 24)))) as v(x)

-- name: limit-sum-in-a-window
-- error: too large
select sum(x) over (order by n) from (values (1, cast('90000000000000' as decimal(38, 24))), (2, cast('90000000000000' as decimal(38, 24)))) as v(n, x)

-- name: limit-sum-over-everything
-- error: too large
select sum(x) over () from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-sum-in-a-rollup
-- error: too large
select n, sum(x) from (values (1, cast('90000000000000' as decimal(38, 24))), (2, cast('90000000000000' as decimal(38, 24)))) as v(n, x) group by rollup (n)

-- name: limit-sum-in-a-subquery
-- error: too large
select count(*) from costs where amount < (select sum(x) from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000000' as decimal(38, 24)))) as v(x))

-- name: limit-sum-at-a-smaller-scale
-- duckdb: select 180000000000000.000001
select sum(cast(x as decimal(38, 6))) from (values (cast('90000000000000.000001' as decimal(38, 24))), (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-average-past-the-type
-- error: verflow
select avg(x) from (values (cast('90000000000000' as decimal(38, 24))), (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-average-in-groups
-- error: verflow
select n, avg(x) from (values (1, cast('90000000000000' as decimal(38, 24))), (1, cast('90000000000000' as decimal(38, 24)))) as v(n, x) group by n

-- name: limit-sum-of-integers
-- error: too large
select sum(x) from (select cast(9223372036854775807 as bigint) as x union all select 1) as t

-- name: limit-addition
-- error: verflow
select x + x from (values (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-subtraction
-- error: verflow
select x - y from (values (cast('90000000000000' as decimal(38, 24)), cast('-90000000000000' as decimal(38, 24)))) as v(x, y)

-- name: limit-product-of-two-amounts
-- error: scale
select amount * amount from costs

-- name: limit-product-with-literal
-- error: verflow
select x * 1.5 from (values (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-quotient
-- error: verflow
select x / 30 from (values (cast('90000000000000' as decimal(38, 24)))) as v(x)

-- name: limit-division-by-zero
-- error: ivide by zero
select amount / 0 from costs

-- name: limit-ceil-past-the-type
-- error: verflow
select ceil(x) from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24)))) as v(x)

-- name: limit-literal-too-fine-to-be-equal
-- duckdb: select false, true, false
select x = 9.0000000000000000000000001, x < 9.0000000000000000000000001, x >= 9.0000000000000000000000001 from (values (cast(9 as decimal(38, 24)))) as v(x)

-- name: limit-literal-of-forty-digits
-- duckdb: select false, true
select x = 90000000000000.00000000000000000000000001, x < 90000000000000.00000000000000000000000001 from (values (cast(90000000000000 as decimal(38, 24)))) as v(x)

-- name: limit-literal-above-the-type
-- error: verflow
select x < 1000000000000000000 from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24)))) as v(x)

-- name: limit-cast-up-past-the-type
-- error: Overflowing
select cast(x * 10000000000 as decimal(38, 24)) from (values (cast(99999 as decimal(10, 0)))) as v(x)

-- name: limit-order-of-extremes
-- rows: ordered
select x from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24))), (cast('-99999999999999.999999999999999999999999' as decimal(38, 24))),
       (cast('0.000000000000000000000001' as decimal(38, 24))), (cast(0 as decimal(38, 24))), (cast('-0.000000000000000000000001' as decimal(38, 24)))) as v(x) order by x

-- name: limit-sums-of-smallest-steps
select sum(x), count(*) from (select cast('0.000000000000000000000001' as decimal(38, 24)) as x from costs where billing_period = '2026-10') as t

-- name: limit-join-on-extremes
select a.x from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24))), (cast('99999999999999.999999999999999999999998' as decimal(38, 24)))) as a(x)
join (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24)))) as b(x) on a.x = b.x

-- name: limit-group-by-extremes
select x, count(*) from (values (cast('99999999999999.999999999999999999999999' as decimal(38, 24))), (cast('99999999999999.999999999999999999999998' as decimal(38, 24))),
       (cast('99999999999999.999999999999999999999999' as decimal(38, 24)))) as v(x) group by x
