-- real dates
CREATE MACRO real_date(d) AS CASE WHEN d >= DATE '1900-01-01' THEN d END;

-- episodes that enter spells
CREATE TEMP TABLE episode AS SELECT rowid AS arrival, person, procode3, epistart, epiend,
coalesce(epiorder, 1000000) AS epiorder, coalesce(real_date(admidate), CASE WHEN epiorder = 1 THEN epistart END) AS admitted,
real_date(disdate) AS discharged, admimeth, admisorc, classpat, epitype, dismeth, disdest, mainspef, startage, sex, provider,
(coalesce(admisorc IN ('51', '52', '53'), false) OR coalesce(admimeth IN ('2B', '81'), false)) AS comes_in,
coalesce(disdest IN ('51', '52', '53'), false) AS goes_out,
@cancer@ AS is_cancer FROM apc
WHERE epistat = '3' AND real_date(epistart) IS NOT NULL AND real_date(epiend) IS NOT NULL AND procode3 IS NOT NULL AND person IS NOT NULL;

-- provider spells: where one begins
CREATE TEMP TABLE ordered AS SELECT *, CASE WHEN comes_in THEN CASE WHEN goes_out THEN 2 ELSE 3 END ELSE CAST(goes_out AS INTEGER) END AS state
FROM episode WHERE admitted IS NOT NULL;

-- provider spells: numbered
CREATE TEMP TABLE numbered AS SELECT *, sum(begins) OVER (PARTITION BY person, procode3 ORDER BY epistart, epiend, epiorder, state, arrival) AS spell
FROM (SELECT *, CASE WHEN admitted = lag(admitted) OVER w OR epistart = lag(epistart) OVER w
OR (lag(dismeth) OVER w IN ('8', '9') AND epistart = lag(epiend) OVER w) THEN 0 ELSE 1 END AS begins FROM ordered
WINDOW w AS (PARTITION BY person, procode3 ORDER BY epistart, epiend, epiorder, state, arrival));

-- provider spells
CREATE TEMP TABLE built AS SELECT person, procode3, spell, count(*) AS n_episodes,
first(e ORDER BY epistart, epiend, epiorder, state, arrival) AS f, last(e ORDER BY epistart, epiend, epiorder, state, arrival) AS l,
bool_or(is_cancer) AS has_cancer, bool_or(epitype IS DISTINCT FROM '1' OR mainspef IN ('501', '560', '610')) AS is_maternity,
bool_or(coalesce(mainspef BETWEEN '700' AND '715', false)) AS is_mental_health
FROM numbered e GROUP BY 1, 2, 3;

-- provider spells as asked
CREATE TABLE spells AS SELECT *, CASE WHEN is_finished = 1 AND "end" >= admidate THEN "end" - admidate END AS length_of_stay,
CASE WHEN is_finished = 1 THEN "end" END AS disdate, CAST(date_trunc('month', CASE WHEN is_finished = 1 THEN "end" END) AS DATE) AS discharge_month
FROM (SELECT person, procode3, f.admitted AS admidate, n_episodes, coalesce(l.dismeth IN ('1', '2', '3', '4', '5', '6', '7'), false)::INTEGER AS is_finished,
CASE WHEN l.dismeth IN ('1', '2', '3', '4', '5', '6', '7') THEN coalesce(l.discharged, l.epiend) ELSE l.epiend END AS "end",
f.admimeth, f.admisorc, f.classpat, f.epitype, l.dismeth, l.disdest, f.startage, f.sex, l.provider, f.epistart, f.arrival,
CASE WHEN f.admimeth IN ('11', '12', '13') THEN 'elective' WHEN f.admimeth LIKE '2%' THEN 'emergency'
WHEN f.admimeth IN ('31', '32') THEN 'maternity' WHEN f.admimeth IN ('81', '82', '83', '84', '89') THEN 'other' END AS admission_type,
CASE WHEN f.comes_in THEN CASE WHEN l.goes_out THEN 2 ELSE 3 END ELSE CAST(l.goes_out AS INTEGER) END AS state,
has_cancer, is_maternity, is_mental_health FROM built) ORDER BY person, admidate;

-- continuous spells: numbered
CREATE TEMP TABLE chained AS SELECT *, sum(begins) OVER (PARTITION BY person ORDER BY admidate, "end", state, epistart, arrival) AS stay
FROM (SELECT *, CASE WHEN admidate - lag("end") OVER w <= 2
AND NOT coalesce(lag(disdest) OVER w = '19' AND admisorc = '51' AND admimeth = '21', false)
AND (coalesce(lag(disdest) OVER w IN ('49', '50', '51', '52', '53', '84'), false)
OR coalesce(admisorc IN ('49', '50', '51', '52', '53', '87'), false) OR coalesce(admimeth IN ('2B', '81'), false))
THEN 0 ELSE 1 END AS begins FROM spells WHERE classpat NOT IN ('3', '4') OR classpat IS NULL
WINDOW w AS (PARTITION BY person ORDER BY admidate, "end", state, epistart, arrival));

-- continuous spells
CREATE TEMP TABLE stays AS SELECT person, stay, count(*) AS n_provider_spells, sum(n_episodes) AS n_episodes,
first(e ORDER BY admidate, "end", state, epistart, arrival) AS f, last(e ORDER BY admidate, "end", state, epistart, arrival) AS l,
bool_or(has_cancer)::INTEGER AS has_cancer, bool_or(is_maternity)::INTEGER AS is_maternity,
bool_or(is_mental_health)::INTEGER AS is_mental_health FROM chained e GROUP BY 1, 2;

-- continuous spells as asked
CREATE TABLE continuous_spells AS SELECT person, admidate, disdate, is_finished, n_provider_spells, n_episodes, admimeth, classpat, dismeth,
disdest, provider, startage, sex, has_cancer, is_maternity, is_mental_health, CAST(date_trunc('month', disdate) AS DATE) AS discharge_month,
CASE WHEN next_is_emergency AND is_finished = 1 THEN next_admidate - disdate END AS days_to_next_emergency_admission
FROM (SELECT *, lead(CASE WHEN classpat = '1' THEN admidate END IGNORE NULLS) OVER w AS next_admidate,
lead(CASE WHEN classpat = '1' THEN coalesce(admimeth LIKE '2%', false) END IGNORE NULLS) OVER w AS next_is_emergency
FROM (SELECT person, stay, f.admidate AS admidate, l.disdate AS disdate, l.is_finished AS is_finished, n_provider_spells, n_episodes,
f.admimeth AS admimeth, f.classpat AS classpat, l.dismeth AS dismeth, l.disdest AS disdest, l.provider AS provider, f.startage AS startage,
f.sex AS sex, has_cancer, is_maternity, is_mental_health FROM stays)
WINDOW w AS (PARTITION BY person ORDER BY stay)) ORDER BY person, admidate;

-- deliveries
CREATE TABLE deliveries AS SELECT person, provider, epiend AS delivery_date, CAST(date_trunc('month', epiend) AS DATE) AS delivery_month,
startage, sex, CASE WHEN @r18@ THEN 'emergency_caesarean' WHEN @r17@ THEN 'elective_caesarean'
WHEN delmeth_d = '01' THEN 'elective_caesarean' WHEN delmeth_d = '02' THEN 'emergency_caesarean' WHEN delmeth_d IN ('03', '04') THEN 'breech'
WHEN delmeth_d IN ('05', '06') THEN 'forceps' WHEN delmeth_d = '07' THEN 'ventouse' WHEN delmeth_d IN ('08', '09') THEN 'spontaneous'
WHEN delmeth_d = '10' THEN 'other' WHEN @other_procedure@ THEN 'by procedure'
WHEN delmeth_1 = '8' THEN 'emergency_caesarean' WHEN delmeth_1 = '7' THEN 'elective_caesarean'
WHEN delmeth_1 IN ('0', '1') THEN 'spontaneous' WHEN delmeth_1 IN ('2', '3') THEN 'forceps' WHEN delmeth_1 = '4' THEN 'ventouse'
WHEN delmeth_1 IN ('5', '6') THEN 'breech' WHEN delmeth_1 = '9' THEN 'other' END AS delivery_method
FROM (SELECT *, lag(epistart) OVER (PARTITION BY person ORDER BY epistart, epiend) AS before FROM apc
WHERE epistat = '3' AND sex = '2' AND startage BETWEEN 12 AND 55 AND classpat NOT IN ('3', '4') AND (epitype IN ('2', '5') OR @delivers@))
WHERE before IS NULL OR epistart - before >= 168 ORDER BY person;
