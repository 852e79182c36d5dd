-- Differences added up by columns, largest change first.
--
-- Reads `changes`, the rows of changes.sql. `$columns` is replaced by the names of the columns.

with summed as (
  select
    $columns,
    count(*) filter (where what = 'changed') as changed,
    count(*) filter (where what = 'added') as added,
    count(*) filter (where what = 'gone') as gone,
    sum(quantity_before) as quantity_before,
    sum(quantity_after) as quantity_after,
    sum(cost_before) as cost_before,
    sum(cost_after) as cost_after,
    sum(change) as change
  from changes
  group by $columns
)

select * from summed
order by abs(change) desc, $columns
