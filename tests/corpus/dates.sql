-- Dates and times, in UTC.

-- name: date-equals
select count(*), sum(amount) from costs where start_date = date '2026-10-15'

-- name: date-compared-with-text
select count(*), sum(amount) from costs where start_date >= '2026-10-15' and start_date < '2026-10-20'

-- name: date-between
select start_date, sum(amount) from costs where start_date between date '2026-09-28' and date '2026-10-03' group by 1

-- name: date-trunc-month
select cast(date_trunc('month', start_date) as date), sum(amount) from costs group by 1

-- name: date-trunc-week
select cast(date_trunc('week', start_date) as date), count(*), sum(amount) from costs group by 1

-- name: date-trunc-quarter-of-timestamps
select cast(date_trunc('quarter', "time/usage_start") as date), sum("cost/cost") from line_items group by 1

-- name: date-trunc-year
select cast(date_trunc('year', start_date) as date), count(distinct product) from costs group by 1

-- name: date-extract
select distinct start_date, extract(year from start_date), extract(month from start_date), extract(day from start_date), extract(doy from start_date) from costs

-- name: date-part-of-timestamps
select date_part('month', "time/usage_start"), date_part('hour', "time/usage_start"), count(*) from line_items group by 1, 2

-- name: date-day-of-week
select extract(dow from start_date), count(*), sum(amount) from costs group by 1

-- name: date-week-and-quarter
select distinct start_date, extract(week from start_date), extract(quarter from start_date) from costs

-- name: date-plus-interval
-- duckdb: select distinct start_date, cast(start_date + interval '1 day' as date) = end_date, cast(start_date + interval '1 month' as date) from costs
select distinct start_date, start_date + interval '1 day' = end_date, cast(start_date + interval '1 month' as date) from costs

-- name: date-minus-interval
select count(*), sum(amount) from costs where start_date > date '2026-11-20' - interval '7 days'

-- name: date-end-of-month-arithmetic
select cast(date '2026-01-31' + interval '1 month' as date), cast(date '2024-02-29' + interval '1 year' as date), cast(date '2026-03-31' - interval '1 month' as date)

-- name: date-last-thirty-days
select start_date, sum(amount) from costs where start_date >= date '2026-11-20' - interval '30 days' and start_date < date '2026-11-20' group by 1

-- name: date-difference-in-days
-- duckdb: select distinct start_date, end_date, end_date - start_date from costs
select distinct start_date, end_date, cast(extract(epoch from cast(end_date as timestamp) - cast(start_date as timestamp)) / 86400 as bigint) from costs

-- name: date-timestamp-equals
select count(*), sum("cost/cost") from line_items where "time/usage_start" = timestamp '2026-10-15 00:00:00'

-- name: date-timestamp-with-zone
select count(*), sum("cost/cost") from line_items where "time/usage_start" = '2026-10-15T00:00:00Z'

-- name: date-timestamp-in-another-zone
select count(*), sum("cost/cost") from line_items where "time/usage_start" >= cast('2026-10-15T00:00:00-04:00' as timestamptz) and "time/usage_end" <= cast('2026-10-17T04:00:00+04:00' as timestamptz)

-- name: date-timestamp-between-dates
select count(*) from line_items where "time/usage_start" between date '2026-10-01' and date '2026-10-31'

-- name: date-timestamp-shown
select distinct "time/usage_start", "time/usage_end" from line_items

-- name: date-timestamp-cast-to-date
select cast("time/usage_start" as date), cast("time/usage_end" as date), count(*) from line_items group by 1, 2

-- name: date-timestamp-order
-- rows: ordered
select "time/usage_start", count(*) from line_items group by 1 order by 1 desc limit 40

-- name: date-min-max
select min("time/usage_start"), max("time/usage_end"), min(start_date), max(end_date) from line_items cross join (select min(start_date) as start_date, max(end_date) as end_date from costs) as c

-- name: date-to-char
-- duckdb: select distinct start_date, strftime(start_date, '%Y-%m'), strftime(start_date, '%d.%m.%Y') from costs
select distinct start_date, to_char(start_date, '%Y-%m'), to_char(start_date, '%d.%m.%Y') from costs

-- name: date-cast-to-text
select distinct cast(start_date as varchar), substr(cast(start_date as varchar), 1, 7) = billing_period from costs

-- name: date-cast-from-text
select cast('2026-02-28' as date), cast('2024-02-29' as date), date '1970-01-01', cast('2026-10-15 12:34:56.789' as timestamp)

-- name: date-cast-of-a-date-that-is-not
-- error: 2026-02-30
select cast('2026-02-30' as date)

-- name: date-month-of-period
select billing_period, count(*) from costs where cast(billing_period || '-01' as date) >= date '2026-09-01' group by 1

-- name: date-weekends
select extract(dow from start_date) in (0, 6) as weekend, sum(amount), count(distinct start_date) from costs group by 1

-- name: date-in-list
select start_date, count(*) from costs where start_date in (date '2026-10-01', date '2026-10-31', date '2030-01-01') group by 1

-- name: date-days-of-each-month
select billing_period, count(distinct start_date), min(start_date), max(start_date) from costs group by 1

-- name: date-make-date
select make_date(2026, 10, 15), make_date(2024, 2, 29)

-- name: date-first-day-of-next-month
select distinct cast(date_trunc('month', start_date) + interval '1 month' as date) from costs
