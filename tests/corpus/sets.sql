-- Set operations, DISTINCT, VALUES, common table expressions, recursion and unnest.

-- name: set-union-all
select product, amount from costs where billing_period = '2026-09' union all select product, amount from costs where billing_period = '2026-10'

-- name: set-union
select product, amount from costs where billing_period = '2026-09' union select product, amount from costs where billing_period = '2026-10'

-- name: set-union-of-literals-and-money
select 0.5 as x union all select amount from costs where amount < -10 union all select 7

-- name: set-union-of-scales
select x from (select 1.5 as x union select 1.50 union select 1.500000000000000000000001) as t

-- name: set-intersect
select resource_id, line_type from costs where billing_period = '2026-01' intersect select resource_id, line_type from costs where billing_period = '2026-10'

-- name: set-intersect-of-money
select amount from costs where billing_period = '2026-01' intersect select amount from costs where billing_period = '2026-10'

-- name: set-intersect-all
-- error: would count duplicate rows wrongly
select product from costs where billing_period = '2026-01' intersect all select product from costs where billing_period = '2026-02' and amount > 5

-- name: set-except
select amount from costs where billing_period = '2026-10' except select amount from costs where billing_period <> '2026-10'

-- name: set-except-all
-- error: would count duplicate rows wrongly
select product, line_type from costs where billing_period = '2026-10' except all select product, line_type from costs where billing_period = '2026-02'

-- name: set-except-nothing-left
-- empty: true
select billing_period from costs except select billing_period from line_items

-- name: set-nested
(select product from costs where amount > 50 union select product from costs where amount < 0) except select product from costs where product = 'SUPPORT'

-- name: set-union-ordered-and-cut
-- rows: ordered
select amount, record_id, ordinal from costs where billing_period = '2026-09' union all select amount, record_id, ordinal from costs where billing_period = '2026-10'
order by 1 desc nulls last, 2, 3 limit 20

-- name: set-distinct
select distinct product, line_type, unit from costs

-- name: set-distinct-money
select distinct original_amount, discount_amount from costs where product = 'KAFKA'

-- name: set-distinct-on
select distinct on (product) product, amount, record_id from costs where amount is not null order by product, amount desc, record_id, ordinal

-- name: set-distinct-partition-columns
select distinct connection, billing_period from line_items

-- name: set-values
select * from (values (1, 'a', 0.10), (2, 'b', 0.2), (3, null, -0.000001)) as v(n, word, money)

-- name: set-values-joined-to-costs
select v.word, count(*), sum(amount) from costs join (values ('KAFKA', 'streams'), ('CONNECT', 'pipes')) as v(product, word) on costs.product = v.product group by 1

-- name: set-cte
with monthly as (select billing_period, sum(amount) as total from costs group by 1) select billing_period, total from monthly where total > 32000.5

-- name: set-cte-used-twice
with monthly as (select billing_period as p, sum(amount) as total from costs group by 1)
select a.p, a.total - b.total from monthly as a join monthly as b on a.p = '2026-10' and b.p = '2026-09'

-- name: set-cte-nested
with a as (select product, amount from costs where amount > 0), b as (with c as (select product, sum(amount) as s from a group by 1) select * from c where s > 100)
select count(*), sum(s) from b

-- name: set-cte-shadows-a-table
with costs as (select 1 as n union all select 2) select sum(n) from costs

-- name: set-recursive-months
with recursive months(n, start) as (select 1, date '2026-01-01' union all select n + 1, cast(start + interval '1 month' as date) from months where n < 12)
select n, start from months

-- name: set-recursive-sum-of-tenths
with recursive steps(n, total) as (select 1, cast(0.1 as decimal(38, 24)) union all select n + 1, cast(total + 0.1 as decimal(38, 24)) from steps where n < 1000)
select n, total from steps where n in (10, 100, 1000)

-- name: set-recursive-calendar-with-missing-days
with recursive days(d) as (select date '2026-11-15' union all select cast(d + interval '1 day' as date) from days where d < date '2026-11-30')
select d, count(record_id), sum(amount) from days left join costs on start_date = d group by d

-- name: set-generate-series
select value, value * 2 from generate_series(1, 10)
-- duckdb: select generate_series, generate_series * 2 from generate_series(1, 10)

-- name: set-unnest
select unnest([1, 2, 3]) as n, 'x' as x

-- name: set-unnest-by-row
select line_type, unnest(case when discount_amount <> 0 then [0, 1] else [0] end) as n from costs where billing_period = '2026-10' and product = 'KAFKA'

-- name: set-unnest-rebuilds-line-items
select count(*), sum(n) from (select unnest(case when coalesce(discount_amount, 0) <> 0 then [0, 1] else [0] end) as n from costs) as t

-- name: set-columns-may-repeat-under-aliases
select amount as a, amount as b, billing_period as c, billing_period as d from costs where amount < -10

-- name: set-subquery-of-subquery
select count(*) from (select * from (select * from (select amount from costs where amount > 1) as a where amount > 2) as b where amount > 3.5) as c
