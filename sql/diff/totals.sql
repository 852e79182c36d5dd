-- Totals of both sides and of the differences between them, which must reconcile.
--
-- Reads `before`, `after` and `changes`, the rows of changes.sql.

select 'before' as side, count(*) as line_items, sum(cost) as cost from before
union all
select 'after' as side, count(*) as line_items, sum(cost) as cost from after
union all
select 'change' as side, sum(rows_after) - sum(rows_before) as line_items, sum(change) as cost from changes
