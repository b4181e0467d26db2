-- Made by bench/interrogate --hdis-questions from bench/interrogation/questions.sql; asked by hdis bench.
-- == NAME | TITLE | TABLE: columns that a scan reads, and the question.

== Q1 | emergencies and their days by provider and month | admissions: admission_method provider month stay
SELECT provider, month, count(*), sum(stay) FROM admissions WHERE admission_method BETWEEN 21 AND 28 GROUP BY 1, 2

== Q2 | twelve indicators, numerators and denominators, by provider and month | admissions: admission_method patient_class stay age sex procedure provider month
SELECT provider, month, count(*) FILTER (WHERE admission_method BETWEEN 21 AND 28), count(*) FILTER (WHERE admission_method BETWEEN 21 AND 28 AND stay = 0), count(*) FILTER (WHERE admission_method BETWEEN 21 AND 28 AND age >= 75), count(*) FILTER (WHERE admission_method BETWEEN 21 AND 28 AND age >= 75 AND stay >= 21), count(*) FILTER (WHERE admission_method BETWEEN 11 AND 13), count(*) FILTER (WHERE admission_method BETWEEN 11 AND 13 AND patient_class = 2), count(*) FILTER (WHERE admission_method BETWEEN 11 AND 13 AND stay >= 7), count(*) FILTER (WHERE admission_method IN (31, 32)), count(*) FILTER (WHERE admission_method IN (31, 32) AND procedure BETWEEN 100 AND 199), count(*) FILTER (WHERE age < 18), count(*) FILTER (WHERE age < 18 AND admission_method BETWEEN 21 AND 28), count(*) FILTER (WHERE age >= 65), count(*) FILTER (WHERE age >= 65 AND stay >= 7), count(*) FILTER (WHERE sex = 2 AND age BETWEEN 18 AND 44), count(*) FILTER (WHERE sex = 2 AND age BETWEEN 18 AND 44 AND procedure > 0), count(*) FILTER (WHERE procedure > 0), count(*) FILTER (WHERE procedure > 0 AND patient_class = 2), count(*) FILTER (WHERE stay >= 21) FROM admissions GROUP BY 1, 2

== Q3 | 200 diagnoses by commissioner, age group and sex | admissions: diagnosis commissioner age sex
SELECT commissioner, age_group(age), sex, count(*) FROM admissions WHERE diagnosis IN (40, 90, 142, 189, 238, 289, 335, 383, 433, 485, 532, 581, 632, 678, 726, 776, 828, 875, 924, 975, 1021, 1069, 1119, 1171, 1218, 1267, 1318, 1364, 1412, 1462, 1514, 1561, 1610, 1661, 1707, 1755, 1805, 1857, 1904, 1953, 2004, 2050, 2098, 2148, 2200, 2247, 2296, 2347, 2393, 2441, 2491, 2543, 2590, 2639, 2690, 2736, 2784, 2834, 2886, 2933, 2982, 3033, 3079, 3127, 3177, 3229, 3276, 3325, 3376, 3422, 3470, 3520, 3572, 3619, 3668, 3719, 3765, 3813, 3863, 3915, 3962, 4011, 4062, 4108, 4156, 4206, 4258, 4305, 4354, 4405, 4451, 4499, 4549, 4601, 4648, 4697, 4748, 4794, 4842, 4892, 4944, 4991, 5040, 5091, 5137, 5185, 5235, 5287, 5334, 5383, 5434, 5480, 5528, 5578, 5630, 5677, 5726, 5777, 5823, 5871, 5921, 5973, 6020, 6069, 6120, 6166, 6214, 6264, 6316, 6363, 6412, 6463, 6509, 6557, 6607, 6659, 6706, 6755, 6806, 6852, 6900, 6950, 7002, 7049, 7098, 7149, 7195, 7243, 7293, 7345, 7392, 7441, 7492, 7538, 7586, 7636, 7688, 7735, 7784, 7835, 7881, 7929, 7979, 8031, 8078, 8127, 8178, 8224, 8272, 8322, 8374, 8421, 8470, 8521, 8567, 8615, 8665, 8717, 8764, 8813, 8864, 8910, 8958, 9008, 9060, 9107, 9156, 9207, 9253, 9301, 9351, 9403, 9450, 9499, 9550, 9596, 9644, 9694, 9746, 9793) GROUP BY 1, 2, 3

== Q4a | different people by provider | admissions: provider
SELECT provider, count(DISTINCT person) FROM admissions GROUP BY 1

== Q4b | different people by provider and month | admissions: provider month
SELECT provider, month, count(DISTINCT person) FROM admissions GROUP BY 1, 2

== Q5 | median and 90th percentile of stay by provider and month | admissions: provider month stay
SELECT provider, month, median(stay), quantile_cont(stay, 0.9) FROM admissions GROUP BY 1, 2

== Q6 | emergency readmission within 30 days of discharge by provider and month | admissions: provider month admission_method admitted discharged
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admission_method BETWEEN 21 AND 28, discharged), 1, 30)) FROM admissions GROUP BY 1, 2

== Q7a | practice by month | admissions: practice month
SELECT practice, month, count(*) FROM admissions GROUP BY 1, 2

== Q7b | small area by age group | admissions: area age
SELECT area, age_group(age), count(*) FROM admissions GROUP BY 1, 2

== Q8 | share of the largest provider by commissioner and month | admissions: commissioner month provider
SELECT commissioner, month, largest_share(provider) FROM admissions GROUP BY 1, 2

== Q9 | attendances followed by an admission within a day, by provider and month | attendances: provider month arrived
SELECT provider, month, count(*) FILTER (WHERE within_days(next(admissions), 1)) FROM attendances GROUP BY 1, 2
