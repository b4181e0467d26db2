-- Q1 emergency spells and mean stay, provider by month
SELECT provider, discharge_month, count(*) AS n, avg(length_of_stay) AS stay FROM spells WHERE
admission_type = 'emergency' AND is_finished = 1 GROUP BY 1, 2;

-- Q2 emergency caesarean, provider by month
SELECT provider, delivery_month, count(*) FILTER (WHERE delivery_method = 'emergency_caesarean') AS n,
count(delivery_method) AS known FROM deliveries GROUP BY 1, 2;

-- Q3 people with diabetes, by age band and sex
SELECT age_band, sex, count(*) AS n, count(DISTINCT person) AS people FROM apc WHERE
@diabetes@ GROUP BY 1, 2;

-- Q4 different people, by provider
SELECT provider, count(DISTINCT person) AS people FROM op GROUP BY 1;

-- Q5 median and 90th percentile of emergency stays, by provider
SELECT provider, median(length_of_stay) AS middle, quantile_cont(length_of_stay, 0.9) AS p90 FROM spells
WHERE admission_type = 'emergency' AND classpat = '1' AND is_finished = 1 GROUP BY 1;

-- Q6 emergency readmission within 30 days, provider by month
SELECT provider, discharge_month,
count(*) FILTER (WHERE days_to_next_emergency_admission BETWEEN 0 AND 29) AS n, count(*) AS of FROM
continuous_spells WHERE is_finished = 1 AND classpat = '1' AND dismeth IN ('1', '2', '3', '6', '7')
AND has_cancer = 0 AND is_maternity = 0 AND is_mental_health = 0 GROUP BY 1, 2;

-- Q7 A&E within 4 hours, median and 95th percentile, provider by month
SELECT provider, arrival_month, count(*) FILTER (WHERE depdur <= 240) AS n, count(depdur) AS of,
median(depdur) AS middle, quantile_cont(depdur, 0.95) AS p95 FROM ae WHERE aedepttype = '01' AND
aeattendcat IN ('1', '3') GROUP BY 1, 2;

-- Q8 did not attend, practice by month
SELECT gpprac, appointment_month, count(*) FILTER (WHERE attended IN ('3', '7')) AS n, count(*) AS of
FROM op WHERE attended IN ('3', '5', '6', '7') AND tretspef <> '812' GROUP BY 1, 2;

-- Q9 appointments and people, by month and specialty, and all of each
SELECT appointment_month, mainspef, count(*) AS n, count(DISTINCT person) AS people FROM op GROUP BY
GROUPING SETS ((1, 2), (1), (2), ());
