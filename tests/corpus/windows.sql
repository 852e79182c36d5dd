-- Window functions over money.

-- name: window-row-number
-- rows: ordered
select record_id, ordinal, row_number() over (order by amount desc nulls last, record_id, ordinal) as n from costs where billing_period = '2026-10' order by n

-- name: window-rank-and-dense-rank
select amount, record_id, rank() over (order by amount desc), dense_rank() over (order by amount desc) from costs where billing_period = '2026-10' and amount > 20

-- name: window-rank-in-partitions
select product, record_id, ordinal, rank() over (partition by product order by amount) from costs where billing_period = '2026-10' and amount is not null

-- name: window-running-sum-of-days
-- rows: ordered
select start_date, sum(total) over (order by start_date) from (select start_date, sum(amount) as total from costs group by 1) as t order by 1

-- name: window-running-sum-in-each-month
select billing_period, start_date, sum(total) over (partition by billing_period order by start_date)
from (select billing_period, start_date, sum(amount) as total from costs group by 1, 2) as t

-- name: window-seven-day-sum
select start_date, sum(total) over (order by start_date rows between 6 preceding and current row), count(*) over (order by start_date rows between 6 preceding and current row)
from (select start_date, sum(amount) as total from costs group by 1) as t

-- name: window-frame-around
select start_date, sum(total) over (order by start_date rows between 1 preceding and 1 following), min(total) over (order by start_date rows between 2 preceding and 1 preceding)
from (select start_date, sum(amount) as total from costs group by 1) as t

-- name: window-frame-to-the-end
select billing_period, sum(total) over (order by billing_period rows between current row and unbounded following),
       max(total) over (order by billing_period rows between current row and unbounded following)
from (select billing_period, sum(amount) as total from costs group by 1) as t

-- name: window-range-with-peers
select amount, record_id, ordinal, sum(amount) over (order by amount), count(*) over (order by amount) from costs where billing_period = '2026-10' and amount > 30

-- name: window-groups-frame
select p, total, sum(total) over (order by p groups between 1 preceding and current row) from (select billing_period as p, sum(amount) as total from costs group by 1) as t

-- name: window-lag-and-lead
select billing_period, total, lag(total) over (order by billing_period), lead(total) over (order by billing_period), total - lag(total) over (order by billing_period)
from (select billing_period, sum(amount) as total from costs group by 1) as t

-- name: window-lag-with-default
select billing_period, lag(total, 2, cast(0 as decimal(38, 24))) over (order by billing_period) from (select billing_period, sum(amount) as total from costs group by 1) as t

-- name: window-month-over-month-by-service
select service, month, total - lag(total) over (partition by service order by month)
from (select "resource/service" as service, billing_period as month, sum("cost/cost") as total from line_items group by 1, 2) as t

-- name: window-first-last-nth-value
select billing_period, product, total, first_value(product) over w, last_value(product) over w, nth_value(product, 2) over w
from (select billing_period, product, sum(amount) as total from costs where product is not null group by 1, 2) as t
window w as (partition by billing_period order by total desc, product rows between unbounded preceding and unbounded following)

-- name: window-ntile
select resource_id, ntile(4) over (order by total desc, resource_id) from (select resource_id, sum(amount) as total from costs where resource_id is not null group by 1) as t

-- name: window-total-beside-rows
select product, total, sum(total) over () as all_products, total = max(total) over () as dearest from (select product, sum(amount) as total from costs group by 1) as t

-- name: window-partition-total
select record_id, ordinal, amount, sum(amount) over (partition by resource_id, line_type) from costs where billing_period = '2026-10'

-- name: window-over-aggregate
select product, sum(amount), rank() over (order by sum(amount) desc nulls last) from costs group by product

-- name: window-top-three-of-each-product
select product, record_id, amount from (select product, record_id, amount, row_number() over (partition by product order by amount desc, record_id, ordinal) as n
from costs where amount is not null) as t where n <= 3

-- name: window-count-and-filter
select billing_period, n, count(*) filter (where total > 32000) over (order by billing_period)
from (select billing_period, count(*) as n, sum(amount) as total from costs group by 1) as t

-- name: window-min-max-running
select start_date, min(total) over (order by start_date), max(total) over (order by start_date) from (select start_date, sum(amount) as total from costs group by 1) as t

-- name: window-nulls-in-order
select product, n, row_number() over (order by product nulls first), row_number() over (order by product desc nulls last)
from (select product, count(*) as n from costs group by 1) as t

-- name: window-on-partition-columns
select distinct billing_period, dense_rank() over (order by billing_period), count(*) over (partition by billing_period) from costs

-- name: window-two-orders
select billing_period, row_number() over (order by total), row_number() over (order by billing_period desc) from (select billing_period, sum(amount) as total from costs group by 1) as t

-- name: window-running-share-crosses-half
select count(*) from (select total, sum(total) over (order by total desc, resource_id) as running, sum(total) over () as whole
from (select resource_id, sum(amount) as total from costs group by 1) as t) as u where running + running <= whole

-- name: window-qualify
select product, line_type, sum(amount) as total from costs group by 1, 2 qualify row_number() over (partition by product order by sum(amount) desc nulls last, line_type) = 1

-- name: window-gaps-between-days
select d, d - lag(d) over (order by d) is null as first from (select distinct start_date as d from costs) as t

-- name: window-percent-rank-of-exact-quarters
select x, percent_rank() over (order by x), cume_dist() over (order by x) from (values (0.1), (0.2), (0.3), (0.4), (0.5)) as v(x)
