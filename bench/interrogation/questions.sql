-- The questions of bench/interrogate. A block begins with "== NAME | TITLE | TABLE: columns that a scan reads"; they
-- ("begins": where persons begin, a bit a row) are counted whole, although of columns that only chosen rows read some lines are passed over (Q3: every second one).
-- "-- hdis", "-- duckdb ...", "-- clickhouse ..." begin a form of the question; several forms of a peer are tried and
-- the fastest counts. Statements before the last are settings. @codes@ stands for 200 scattered diagnoses.

== Q1 | emergencies and their days by provider and month | admissions: admission_method provider month stay
-- hdis
SELECT provider, month, count(*), sum(stay) FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY 1, 2
-- duckdb
SELECT provider, month, count(*), sum(stay)::BIGINT FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY 1, 2
-- duckdb perfect hash
SET perfect_ht_threshold = 18;
SELECT provider, month, count(*), sum(stay)::BIGINT FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY 1, 2
-- clickhouse
SELECT provider, month, count(), sum(stay) FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY provider, month
-- clickhouse one key
SELECT intDiv(k, @months@), k % @months@, n, s FROM (SELECT toUInt32(provider) * @months@ + month AS k, count() AS n, sum(stay) AS s FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY k)

== Q2 | twelve indicators, numerators and denominators, by provider and month | admissions: admission_method patient_class stay age sex procedure provider month
-- hdis
SELECT provider, month, @indicators@ FROM admissions GROUP BY 1, 2
-- duckdb
SELECT provider, month, @indicators@ FROM admissions GROUP BY 1, 2
-- duckdb perfect hash
SET perfect_ht_threshold = 18;
SELECT provider, month, @indicators@ FROM admissions GROUP BY 1, 2
-- duckdb sums of cases
SET perfect_ht_threshold = 18;
SELECT provider, month, @cases@ FROM admissions GROUP BY 1, 2
-- clickhouse
SELECT provider, month, @countifs@ FROM admissions GROUP BY provider, month

== Q3 | 200 diagnoses by commissioner, age group and sex | admissions: diagnosis commissioner age sex
-- hdis
SELECT commissioner, age_group(age), sex, count(*) FROM admissions WHERE diagnosis IN (@codes@) GROUP BY 1, 2, 3
-- duckdb
SELECT commissioner, age // 5, sex, count(*) FROM admissions WHERE diagnosis IN (@codes@) GROUP BY 1, 2, 3
-- duckdb semi join
SELECT commissioner, age // 5, sex, count(*) FROM admissions WHERE diagnosis IN (SELECT unnest([@codes@])) GROUP BY 1, 2, 3
-- clickhouse
SELECT commissioner, intDiv(age, 5) AS g, sex, count() FROM admissions WHERE diagnosis IN (@codes@) GROUP BY commissioner, g, sex

== Q4a | different people by provider | admissions: provider begins
-- hdis
SELECT provider, count(DISTINCT person) FROM admissions GROUP BY 1
-- duckdb
SELECT provider, count(DISTINCT person) FROM admissions GROUP BY 1
-- duckdb distinct first
SELECT provider, count(*) FROM (SELECT DISTINCT provider, person FROM admissions) GROUP BY 1
-- clickhouse
SELECT provider, uniqExact(person) FROM admissions GROUP BY provider
-- clickhouse in order
SELECT provider, count() FROM (SELECT person, provider FROM admissions GROUP BY person, provider SETTINGS optimize_aggregation_in_order = 1) GROUP BY provider
-- clickhouse array by person
SELECT p, count() FROM (SELECT arrayJoin(ps) AS p FROM (SELECT groupUniqArray(provider) AS ps FROM admissions GROUP BY person SETTINGS optimize_aggregation_in_order = 1)) GROUP BY p

== Q4b | different people by provider and month | admissions: provider month begins
-- hdis
SELECT provider, month, count(DISTINCT person) FROM admissions GROUP BY 1, 2
-- duckdb
SELECT provider, month, count(DISTINCT person) FROM admissions GROUP BY 1, 2
-- duckdb distinct first
SELECT provider, month, count(*) FROM (SELECT DISTINCT provider, month, person FROM admissions) GROUP BY 1, 2
-- clickhouse
SELECT provider, month, uniqExact(person) FROM admissions GROUP BY provider, month
-- clickhouse array by person
SELECT intDiv(k, @months@), k % @months@, count() FROM (SELECT arrayJoin(ks) AS k FROM (SELECT groupUniqArray(toUInt16(provider) * @months@ + month) AS ks FROM admissions GROUP BY person SETTINGS optimize_aggregation_in_order = 1)) GROUP BY k

== Q5 | median and 90th percentile of stay by provider and month | admissions: provider month stay
-- hdis
SELECT provider, month, median(stay), quantile_cont(stay, 0.9) FROM admissions GROUP BY 1, 2
-- duckdb
SELECT provider, month, quantile_cont(stay, 0.5), quantile_cont(stay, 0.9) FROM admissions GROUP BY 1, 2
-- duckdb own histogram
SET perfect_ht_threshold = 24;
WITH bins AS (SELECT provider, month, stay, count(*) AS n FROM admissions GROUP BY 1, 2, 3), running AS (SELECT *, sum(n) OVER w AS upto, sum(n) OVER (PARTITION BY provider, month) AS total FROM bins WINDOW w AS (PARTITION BY provider, month ORDER BY stay)), points AS (SELECT provider, month, max(total) AS total, min(stay) FILTER (upto > floor(0.5 * (total - 1))) AS a, min(stay) FILTER (upto > ceil(0.5 * (total - 1))) AS b, min(stay) FILTER (upto > floor(0.9 * (total - 1))) AS c, min(stay) FILTER (upto > ceil(0.9 * (total - 1))) AS d FROM running GROUP BY 1, 2) SELECT provider, month, a + (b::INTEGER - a) * (0.5::DOUBLE * (total - 1) - floor(0.5::DOUBLE * (total - 1))), c + (d::INTEGER - c) * (0.9::DOUBLE * (total - 1) - floor(0.9::DOUBLE * (total - 1))) FROM points
-- clickhouse
SELECT provider, month, quantileExactInclusive(0.5)(stay), quantileExactInclusive(0.9)(stay) FROM admissions GROUP BY provider, month
-- clickhouse both at once
SELECT provider, month, q[1], q[2] FROM (SELECT provider, month, quantilesExactInclusive(0.5, 0.9)(stay) AS q FROM admissions GROUP BY provider, month)
-- clickhouse own histogram
SELECT provider, month, a + (b - a) * (0.5 * (total - 1) - floor(0.5 * (total - 1))), c + (d - c) * (0.9 * (total - 1) - floor(0.9 * (total - 1))) FROM (SELECT provider, month, any(total) AS total, toFloat64(minIf(stay, upto > floor(0.5 * (total_ - 1)))) AS a, toFloat64(minIf(stay, upto > ceil(0.5 * (total_ - 1)))) AS b, toFloat64(minIf(stay, upto > floor(0.9 * (total_ - 1)))) AS c, toFloat64(minIf(stay, upto > ceil(0.9 * (total_ - 1)))) AS d FROM (SELECT provider, month, stay, sum(n) OVER (PARTITION BY provider, month ORDER BY stay) AS upto, sum(n) OVER (PARTITION BY provider, month) AS total_, total_ AS total FROM (SELECT provider, month, stay, count() AS n FROM admissions GROUP BY provider, month, stay)) GROUP BY provider, month)

== Q6 | emergency readmission within 30 days of discharge by provider and month | admissions: provider month admission_method admitted discharged person
-- hdis
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admission_method BETWEEN 21 AND 28, discharged), 1, 30)) FROM admissions GROUP BY 1, 2
-- hdis
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admission_method BETWEEN 21 AND 28, discharged), 1, 30)) FROM admissions GROUP BY 1, 2
-- duckdb window
SELECT provider, month, count(*) FILTER (later > 0) FROM (SELECT provider, month, count(*) FILTER (admission_method BETWEEN 21 AND 28) OVER (PARTITION BY person ORDER BY admitted - DATE '1970-01-01' RANGE BETWEEN stay + 1 FOLLOWING AND stay + 30 FOLLOWING) AS later FROM admissions) GROUP BY 1, 2
-- duckdb asof
SELECT a.provider, a.month, count(*) FILTER (e.admitted - a.discharged <= 30) FROM admissions a ASOF LEFT JOIN (SELECT person, admitted FROM admissions WHERE admission_method BETWEEN 21 AND 28) e ON a.person = e.person AND e.admitted > a.discharged GROUP BY 1, 2
-- clickhouse asof merge
SET join_algorithm = 'full_sorting_merge';
SELECT a.provider, a.month, countIf(e.admitted > a.discharged AND e.admitted - a.discharged <= 30) FROM admissions AS a ASOF LEFT JOIN (SELECT person, admitted FROM admissions WHERE admission_method BETWEEN 21 AND 28) AS e ON a.person = e.person AND a.discharged < e.admitted GROUP BY a.provider, a.month
-- clickhouse arrays by person
SELECT p, m, countIf(hit) FROM (SELECT arrayJoin(arrayZip(ps, ms, arrayMap(d -> arrayExists(x -> x > d AND x <= d + 30, es), ds))) AS t, t.1 AS p, t.2 AS m, t.3 AS hit FROM (SELECT groupArray(provider) AS ps, groupArray(month) AS ms, groupArray(discharged) AS ds, groupArrayIf(admitted, admission_method BETWEEN 21 AND 28) AS es FROM admissions GROUP BY person SETTINGS optimize_aggregation_in_order = 1)) GROUP BY p, m

== Q7a | practice by month | admissions: practice month
-- hdis
SELECT practice, month, count(*) FROM admissions GROUP BY 1, 2
-- duckdb
SELECT practice, month, count(*) FROM admissions GROUP BY 1, 2
-- duckdb perfect hash
SET perfect_ht_threshold = 24;
SELECT practice, month, count(*) FROM admissions GROUP BY 1, 2
-- clickhouse
SELECT practice, month, count() FROM admissions GROUP BY practice, month
-- clickhouse one key
SELECT intDiv(k, @months@), k % @months@, n FROM (SELECT toUInt32(practice) * @months@ + month AS k, count() AS n FROM admissions GROUP BY k)

== Q7b | small area by age group | admissions: area age
-- hdis
SELECT area, age_group(age), count(*) FROM admissions GROUP BY 1, 2
-- duckdb
SELECT area, age // 5, count(*) FROM admissions GROUP BY 1, 2
-- duckdb perfect hash
SET perfect_ht_threshold = 24;
SELECT area, (age // 5)::UTINYINT, count(*) FROM admissions GROUP BY 1, 2
-- clickhouse
SELECT area, intDiv(age, 5) AS g, count() FROM admissions GROUP BY area, g
-- clickhouse one key
SELECT intDiv(k, 21), k % 21, n FROM (SELECT toUInt32(area) * 21 + intDiv(age, 5) AS k, count() AS n FROM admissions GROUP BY k)

== Q8 | share of the largest provider by commissioner and month | admissions: commissioner month provider
-- hdis
SELECT commissioner, month, largest_share(provider) FROM admissions GROUP BY 1, 2
-- duckdb
SELECT commissioner, month, max(n) / sum(n) FROM (SELECT commissioner, month, provider, count(*) AS n FROM admissions GROUP BY 1, 2, 3) GROUP BY 1, 2
-- duckdb perfect hash
SET perfect_ht_threshold = 24;
SELECT commissioner, month, max(n) / sum(n) FROM (SELECT commissioner, month, provider, count(*) AS n FROM admissions GROUP BY 1, 2, 3) GROUP BY 1, 2
-- clickhouse
SELECT commissioner, month, max(n) / sum(n) FROM (SELECT commissioner, month, provider, count() AS n FROM admissions GROUP BY commissioner, month, provider) GROUP BY commissioner, month
-- clickhouse one key
SELECT intDiv(k, @months@ * @providers@) AS c, intDiv(k, @providers@) % @months@ AS m, max(n) / sum(n) FROM (SELECT (toUInt32(commissioner) * @months@ + month) * @providers@ + provider AS k, count() AS n FROM admissions GROUP BY k) GROUP BY c, m

== Q9 | attendances followed by an admission within a day, by provider and month | attendances: provider month arrived person + admissions: admitted person
-- hdis
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admissions), 1)) FROM attendances GROUP BY 1, 2
-- hdis
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admissions), 1)) FROM attendances GROUP BY 1, 2
-- duckdb asof
SELECT t.provider, t.month, count(*) FILTER (a.admitted - t.arrived <= 1) FROM attendances t ASOF LEFT JOIN (SELECT person, admitted FROM admissions) a ON t.person = a.person AND a.admitted >= t.arrived GROUP BY 1, 2
-- duckdb semi joins
SELECT provider, month, count(*) FILTER (today OR tomorrow) FROM (SELECT provider, month, (person, arrived) IN (SELECT person, admitted FROM admissions) AS today, (person, arrived + 1) IN (SELECT person, admitted FROM admissions) AS tomorrow FROM attendances) GROUP BY 1, 2
-- clickhouse asof merge
SET join_algorithm = 'full_sorting_merge';
SELECT t.provider, t.month, countIf(a.admitted >= t.arrived AND a.admitted - t.arrived <= 1) FROM attendances AS t ASOF LEFT JOIN (SELECT person, admitted FROM admissions) AS a ON t.person = a.person AND t.arrived <= a.admitted GROUP BY t.provider, t.month
