-- Money against literals, text and integers; arithmetic, rounding and functions that choose a value.

-- name: money-equals-literal
select count(*) from costs where original_amount = 5.5656

-- name: money-not-equal-literal
select count(*) from costs where original_amount <> 5.5656

-- name: money-less-than-literal
select count(*), sum(original_amount) from costs where original_amount < 0.6024

-- name: money-at-most-literal
select count(*), sum(original_amount) from costs where original_amount <= 0.6024

-- name: money-greater-than-literal
select count(*), sum(original_amount) from costs where original_amount > 50.7288

-- name: money-at-least-literal
select count(*), sum(original_amount) from costs where original_amount >= 50.7288

-- name: money-literal-on-the-left
select count(*) from costs where 50.7288 <= original_amount and 0.6024 <> original_amount

-- name: money-between-literals
select count(*), sum(amount) from costs where amount between 0.6024 and 50.7288

-- name: money-not-between-literals
select count(*), sum(amount) from costs where amount not between 0.6024 and 50.7288

-- name: money-in-literals
select original_amount, count(*) from costs where original_amount in (5.5656, 0.6024, 50.7288, -12.5, 100) group by 1

-- name: money-not-in-literals
select count(*), sum(amount) from costs where original_amount not in (5.5656, 0.6024, 50.7288, -12.5, 100)

-- name: money-in-one-literal-of-many-digits
select distinct price from costs where price in (0.0250000001, 0.025, 0.0250000002)

-- name: money-price-of-eleven-places
select count(*), min(price), max(price) from costs where price = 0.0250000001

-- name: money-neighbours-of-a-price
select count(*) filter (where price < 0.0250000001), count(*) filter (where price <= 0.0250000001),
       count(*) filter (where price > 0.0250000001), count(*) filter (where price >= 0.0250000001)
from costs

-- name: money-smallest-price
select count(*), sum(quantity) from costs where price = 0.0000001

-- name: money-below-smallest-price
-- empty: true
select record_id from costs where price < 0.0000001

-- name: money-equals-integer
select count(*), sum(amount) from costs where original_amount = 100

-- name: money-compared-with-negative-integer
select count(*), sum(original_amount) from costs where original_amount < -3

-- name: money-equals-zero
select count(*) from costs where discount_amount = 0

-- name: money-equals-zero-with-places
select count(*) from costs where discount_amount = 0.000000000000000000000000

-- name: money-negative-zero
select count(*) filter (where discount_amount = -0.0), count(*) filter (where discount_amount >= -0.00),
       -0.0 = 0.0, cast('-0' as decimal(38, 24))
from costs

-- name: money-literal-of-24-places
select x, x = 0.123456789012345678901234, x < 0.123456789012345678901235, x > 0.123456789012345678901233
from (values (cast('0.123456789012345678901234' as decimal(38, 24)))) as v(x)

-- name: money-literal-of-38-digits
select x = 12345678901234.123456789012345678901234, x <> 12345678901234.123456789012345678901233
from (values (cast('12345678901234.123456789012345678901234' as decimal(38, 24)))) as v(x)

-- name: money-tenth-and-fifth
select 0.1 + 0.2 as a, 0.1 + 0.2 = 0.3 as b, 0.3 - 0.1 = 0.2 as c, cast(0.1 + 0.2 as decimal(38, 24)) as d

-- name: money-sum-of-tenths
select sum(x), sum(x) = 0.6, sum(x) - 0.6 from (values (0.1), (0.2), (0.3)) as v(x)

-- name: money-ten-tenths
select sum(x) = 1, sum(x) from (select cast(0.1 as decimal(38, 24)) as x from costs order by record_id limit 10) as t

-- name: money-cast-text-to-money
select cast('0.000000000000000000000001' as decimal(38, 24)), cast('-99999999999999.999999999999999999999999' as decimal(38, 24)),
       cast('7' as decimal(38, 24)), cast('-0.5' as decimal(38, 24)), cast('.5' as decimal(38, 24)), cast('5.' as decimal(38, 24))

-- name: money-cast-money-to-text
select distinct cast(price as varchar) from costs where price is not null

-- name: money-text-there-and-back
select count(*) from costs where cast(cast(amount as varchar) as decimal(38, 24)) = amount

-- name: money-compared-with-text-cast
select count(*) from costs where original_amount = cast('5.5656' as decimal(38, 24))

-- name: money-cast-rounds-half-away
select cast(2.5 as decimal(10, 0)), cast(-2.5 as decimal(10, 0)), cast(0.125 as decimal(10, 2)), cast(-0.125 as decimal(10, 2)),
       cast(0.124999999999999999999999 as decimal(10, 2))

-- name: money-cast-25-digits-rounds
select cast('0.1234567890123456789012345' as decimal(38, 24)), cast('-0.1234567890123456789012345' as decimal(38, 24))

-- name: money-cast-to-cents
select record_id, cast(amount as decimal(18, 2)) from costs where billing_period = '2026-10' and amount is not null

-- name: money-cast-to-whole
-- error: two columns have the name `sum(costs.amount)`
select sum(cast(amount as decimal(18, 0))) as whole, sum(cast(amount as decimal(18, 1))) as tenths from costs

-- name: money-plus-literal
select sum(amount + 0.01), sum(amount - 0.01), min(0.5 - amount), max(amount + 1) from costs

-- name: money-plus-money
select count(*), sum(original_amount - discount_amount) from costs where original_amount - discount_amount <> amount

-- name: money-net-equals-original-minus-discount
select count(*) from costs where amount = original_amount - discount_amount

-- name: money-negated
select sum(-amount), min(-amount), max(-amount) from costs

-- name: money-times-integer
-- duckdb: select sum(amount + amount + amount) from costs
select sum(amount * 3) from costs

-- name: money-times-literal
-- duckdb: select sum(amount + amount + amount), placed(sum(units(amount)) * 25, 26)::decimal(38, 26) from costs
select sum(amount * 3.0), sum(amount * 0.25) from costs

-- name: money-times-a-half
-- duckdb: select billing_period, placed(sum(units(amount)) * 15, 25)::decimal(38, 25) from costs group by 1
select billing_period, sum(amount * 1.5) from costs group by 1

-- name: money-price-times-quantity-cut-to-scale
-- duckdb: select record_id, price::decimal(18, 12) * quantity::decimal(20, 12) from costs where billing_period = '2026-09' and price is not null
select record_id, cast(price as decimal(18, 12)) * cast(quantity as decimal(20, 12))
from costs where billing_period = '2026-09' and price is not null

-- name: money-divided-by-thirty
-- duckdb: select billing_period, placed(units(sum(amount)) * 10000 // 30, 28)::decimal(38, 28) from costs group by 1
select billing_period, sum(amount) / 30 from costs group by 1

-- name: money-exact-quotients
-- duckdb: select 2.5, 0.125, -0.25, 0.0625
select cast(5 as decimal(38, 24)) / 2, cast(1 as decimal(38, 24)) / 8, cast('-0.5' as decimal(38, 24)) / 2, cast(1 as decimal(38, 24)) / 16.0

-- name: money-share-of-the-month
-- duckdb: select 33.3333, 66.6667, 100
select round(cast(100 as decimal(20, 4)) / 3, 4), round(cast(200 as decimal(20, 4)) / 3, 4), cast(100 as decimal(20, 4)) * 3 / 3

-- name: money-modulo
-- duckdb: select cast(5.5656 - 5 as decimal(38, 24)), cast(0.5 as decimal(38, 24)), cast(-0.5 as decimal(38, 24))
select cast(5.5656 as decimal(38, 24)) % 1, cast(2.5 as decimal(38, 24)) % 2, cast(-2.5 as decimal(38, 24)) % 2

-- name: money-abs
select count(*), sum(abs(amount)), max(abs(amount)), min(abs(amount)) from costs

-- name: money-round-to-cents
select sum(round(amount, 2)), count(distinct round(amount, 2)), sum(round(amount, 4)) from costs

-- name: money-round-to-whole
select sum(round(amount)), sum(round(amount, 0)) from costs

-- name: money-round-halves
select x, round(x), round(x, 1), round(x, 2)
from (values (cast(0.5 as decimal(38, 24))), (1.5), (2.5), (-0.5), (-2.5), (0.05), (0.15), (0.25), (1.005), (-1.005), (2.675)) as v(x)

-- name: money-ceil-floor-trunc
select sum(ceil(amount)), sum(floor(amount)), sum(trunc(amount)) from costs

-- name: money-ceil-floor-of-large-values
select ceil(x), floor(x), trunc(x), round(x)
from (values (cast('12345678901234.500000000000000000000001' as decimal(38, 24))), (cast('-12345678901234.500000000000000000000001' as decimal(38, 24)))) as v(x)

-- name: money-round-keeps-digits-past-a-double
select round(x, 4), round(x, 20), abs(x)
from (values (cast('12345678901234.123456789012345678901234' as decimal(38, 24))), (cast('-98765432109876.987654321098765432109876' as decimal(38, 24)))) as v(x)

-- name: money-round-threshold
select count(*) filter (where round(amount, 2) = 5.01), count(*) filter (where round(amount, 2) < 5.01) from costs

-- name: money-sign-by-case
select case when amount < 0 then 'credit' when amount = 0 then 'zero' when amount is null then 'unknown' else 'charge' end as kind,
       count(*), sum(amount)
from costs group by 1

-- name: money-bands
select case when amount < 0.01 then 'a' when amount < 1 then 'b' when amount < 10.5 then 'c' else 'd' end as band, count(*), sum(amount)
from costs where amount is not null group by 1

-- name: money-simple-case
select case original_amount when 5.5656 then 'five' when 0.6024 then 'less' else 'other' end as word, count(*) from costs group by 1

-- name: money-coalesce
select sum(coalesce(amount, original_amount - coalesce(discount_amount, 0))), sum(coalesce(discount_amount, 0.000001)) from costs

-- name: money-greatest-least
select sum(greatest(amount, 0.6024)), sum(least(amount, 0.6024)), sum(greatest(original_amount, amount, discount_amount)) from costs

-- name: money-nullif
select count(nullif(discount_amount, 0)), sum(nullif(original_amount, 5.5656)) from costs

-- name: money-min-max-literals
select min(x), max(x) from (values (0.1), (0.09999999999), (0.10000000001)) as v(x)

-- name: money-literals-of-different-scales
select a, b, a = b, a < b, a > b from (values (1.10, 1.1), (1.1000000000000000000001, 1.1), (-1.1, -1.1000000000000000000001)) as v(a, b)

-- name: money-mixed-sign-sum-is-zero
select sum(x) = 0, sum(x) from (select amount as x from costs union all select -amount from costs) as t

-- name: money-cost-equals-discounted-cost
select billing_period, sum("cost/cost") - sum("cost/discounted_cost"), sum("cost/cost") = sum("cost/discounted_cost")
from line_items group by 1

-- name: money-discount-rows
select count(*), sum("cost/cost"), min("cost/cost"), max("cost/cost") from line_items
where "lineitem/type" = 'Discount' and "cost/cost" < 0 and "cost/discounted_cost" = 0.0 and "cost/on_demand_cost" = 0

-- name: money-quantity-with-many-places
select distinct quantity from costs where quantity > 24 and quantity < 24.2

-- name: money-large-quantity
select count(*), sum(quantity) from costs where quantity >= 1409359.5942

-- name: money-comparison-of-columns
select count(*) filter (where amount < original_amount), count(*) filter (where amount = original_amount), count(*) filter (where amount > original_amount)
from costs

-- name: money-is-distinct-from
select count(*) filter (where amount is distinct from original_amount), count(*) filter (where amount is not distinct from original_amount) from costs

-- name: money-exponent-literal
-- duckdb: select count(*) from costs where price = 0.0000001
select count(*) from costs where price = 1e-7

-- name: money-exponent-literal-large
-- duckdb: select count(*) from costs where quantity > 1000000
select count(*) from costs where quantity > 1e6

-- name: money-cast-of-a-word
-- error: Cannot cast string 'five'
select cast('five' as decimal(38, 24))

-- name: money-cast-too-large
-- error: too large
select cast('100000000000000' as decimal(38, 24))

-- name: money-try-cast
select try_cast('five' as decimal(38, 24)), try_cast('100000000000000' as decimal(38, 24)), try_cast('5.5' as decimal(38, 24))

-- name: money-as-group-key
select amount, count(*) from costs where amount < 0 group by amount

-- name: money-distinct-values
select distinct price from costs

-- name: money-rounded-beside-its-original
select count(*) filter (where round(amount, 2) = amount), count(*) filter (where ceil(amount) > amount), count(*) filter (where floor(amount) between 1.5 and 9.5) from costs

-- name: money-trunc-as-integer
select sum(cast(trunc(amount) as bigint)) from costs where amount is not null

-- name: money-far-above-every-amount
select count(*) from costs where amount < 99999999999999 and amount > -99999999999999
