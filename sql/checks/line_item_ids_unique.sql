-- No two line items have the same id.
-- exit 1
-- Run once for each bucket of ids, so that no run holds all ids of a month in memory.
select
  "lineitem/id",
  count(*) as line_items
from line_items
where bucket("lineitem/id", cast($buckets as bigint)) = cast($bucket as bigint)
group by "lineitem/id"
having count(*) > 1
order by "lineitem/id"
limit 20
