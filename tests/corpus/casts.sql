-- Comparisons of a cast with a literal: the engine tends to compare the column with the literal cast back, which is
-- wrong when the cast rounds.

-- name: cast-cents-equal
select count(*), sum(amount) from costs where cast(amount as decimal(18, 2)) = 5.01

-- name: cast-cents-equal-wide
select count(*), sum(amount) from costs where cast(amount as decimal(38, 2)) = 5.01

-- name: cast-cents-not-equal
select count(*), sum(amount) from costs where cast(amount as decimal(18, 2)) <> 5.01

-- name: cast-cents-greater
select count(*), sum(amount) from costs where cast(amount as decimal(18, 2)) > 5

-- name: cast-cents-at-most
select count(*), sum(amount) from costs where cast(amount as decimal(18, 2)) <= 0.6

-- name: cast-cents-in
select cast(amount as decimal(18, 2)) as cents, count(*) from costs where cast(amount as decimal(18, 2)) in (5.01, 0.6, -11.25) group by 1

-- name: cast-cents-between
select count(*) from costs where cast(amount as decimal(18, 2)) between 5.01 and 5.02

-- name: cast-cents-literal-on-the-left
select count(*) from costs where 5.01 = cast(amount as decimal(18, 2))

-- name: cast-cents-in-case
select sum(case when cast(amount as decimal(18, 2)) = 5.01 then 1 else 0 end), count(*) filter (where cast(amount as decimal(18, 2)) = 5.01) from costs

-- name: cast-cents-through-a-subquery
select count(*) from (select cast(amount as decimal(18, 2)) as cents from costs) as t where cents = 5.01

-- name: cast-cents-through-a-cte-and-having
with cents as (select product, cast(amount as decimal(18, 1)) as c from costs) select product, c, count(*) from cents group by product, c having c > 50.05 and c < 60

-- name: cast-cents-as-join-key
select count(*), sum(a.amount) from costs as a join (values (5.01), (0.60)) as v(c) on cast(a.amount as decimal(18, 2)) = v.c

-- name: cast-cents-in-a-boolean-column
select cast(amount as decimal(18, 2)) = 5.01 as five, count(*) from costs group by 1

-- name: cast-whole-equal
select count(*), sum(amount) from costs where cast(amount as decimal(18, 0)) = 5

-- name: cast-whole-of-values
select x, cast(x as decimal(10, 1)) = 0.2 as a, cast(x as decimal(10, 1)) > 0.1 as b, cast(x as decimal(10, 0)) = 0 as c
from (values (cast(0.15 as decimal(38, 24))), (0.16), (0.2), (0.24), (0.25)) as v(x)

-- name: cast-wider-is-harmless
select count(*) from (select cast(price as decimal(18, 10)) as p from costs) as t where cast(p as decimal(38, 24)) = 0.0250000001

-- name: cast-integer-to-decimal
select count(*) filter (where cast(ordinal as decimal(10, 2)) = 1.5), count(*) filter (where cast(ordinal as decimal(10, 2)) >= 0.5), count(*) filter (where ordinal = 1.0),
       count(*) filter (where ordinal > 0.5), count(*) filter (where ordinal in (0.0, 1.5)) from costs

-- name: cast-integer-to-text
select count(*) filter (where cast(ordinal as varchar) = '0'), count(*) filter (where cast(ordinal as varchar) = '00'), count(*) filter (where cast(ordinal as varchar) > '1') from costs

-- name: cast-money-to-text
select count(*) filter (where cast(amount as varchar) = '5.009'), count(*) filter (where cast(amount as varchar) = '5.009000000000000000000000'),
       count(*) filter (where cast(amount as varchar) like '5.009%') from costs

-- name: cast-date-to-text
select count(*) filter (where cast(start_date as varchar) = '2026-10-01'), count(*) filter (where cast(start_date as varchar) = '2026-10-1'),
       count(*) filter (where cast(start_date as varchar) < '2026-2') from costs

-- name: cast-date-to-timestamp
select count(*) filter (where cast(start_date as timestamp) = timestamp '2026-10-01 00:00:00'), count(*) filter (where cast(start_date as timestamp) = timestamp '2026-10-01 12:00:00'),
       count(*) filter (where cast(start_date as timestamp) > timestamp '2026-10-01 12:00:00') from costs

-- name: cast-timestamp-to-date
select count(*) filter (where cast("time/usage_start" as date) = date '2026-10-01'), count(*) filter (where cast("time/usage_start" as date) >= date '2026-10-02') from line_items

-- name: cast-timestamp-made-finer-to-date
select count(*), min(t), max(t) from (select cast(start_date as timestamp) + interval '12 hours' as t from costs) as s where cast(t as date) = date '2026-10-01'

-- name: cast-truncated-date-equal
select count(*) from costs where date_trunc('month', start_date) = date '2026-10-01'

-- name: cast-truncated-date-never-equal
select count(*) from costs where date_trunc('month', start_date) = date '2026-10-02'

-- name: cast-extracted-year-and-month
select count(*) filter (where extract(year from start_date) = 2026), count(*) filter (where extract(year from start_date) <> 2026), count(*) filter (where extract(month from start_date) in (1, 10)) from costs

-- name: cast-rounded-equal-and-not
select count(*) filter (where floor(amount) = 5), count(*) filter (where ceil(amount) = 5), count(*) filter (where round(amount, 1) in (5.0, 5.6)), count(*) filter (where trunc(amount) <> 0) from costs

-- name: cast-arithmetic-moved-over-the-comparison
select count(*) filter (where amount + 0.1 = 5.109), count(*) filter (where amount - 5.009 = 0), count(*) filter (where -amount = -5.009), count(*) filter (where amount * 2 = 10.018),
       count(*) filter (where 10 - amount > 4.991) from costs

-- name: cast-prefix-as-a-range
select count(*) filter (where left(product, 3) = 'KAF'), count(*) filter (where substr(line_type, 1, 5) = 'KAFKA'), count(*) filter (where starts_with(product, 'KAFKA')) from costs
