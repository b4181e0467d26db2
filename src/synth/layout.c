/* layout.c - see layout.h. Formatting is the hot path: no printf, every value by its kind. */
#include "synth/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spec {
    const char *name; /* with %d or %02d for a list */
    hd_column_kind kind;
    size_t offset;
    unsigned n;    /* 0: no list */
    size_t stride; /* bytes from one element to the next */
};

#define CODE(row, name, m)   {name, HD_COLUMN_CODE, offsetof(row, m), 0, 0}
#define TEXT(row, name, m)   {name, HD_COLUMN_TEXT, offsetof(row, m), 0, 0}
#define NUM(row, name, m)    {name, HD_COLUMN_NUMBER, offsetof(row, m), 0, 0}
#define DATE(row, name, m)   {name, HD_COLUMN_DATE, offsetof(row, m), 0, 0}
#define DATE8(row, name, m)  {name, HD_COLUMN_DATE8, offsetof(row, m), 0, 0}
#define KEY(row, name, m)    {name, HD_COLUMN_KEY, offsetof(row, m), 0, 0}
#define CLOCK(row, name, m)  {name, HD_COLUMN_CLOCK, offsetof(row, m), 0, 0}
#define CLOCKL(row, name, m) {name, HD_COLUMN_CLOCK_LONG, offsetof(row, m), 0, 0}
#define LIST(row, name, k, m)                                                                      \
    {name, HD_COLUMN_##k, offsetof(row, m), sizeof(((row *)0)->m) / sizeof *((row *)0)->m,         \
     sizeof *((row *)0)->m}

/* Columns that APC, OP and A&E share; c is the first member of their rows. */
#define PERSON_AND_PLACE(row)                                                                      \
    {"TOKEN_PERSON_ID", HD_COLUMN_TOKEN, offsetof(row, c.token), 0, 0},                            \
        {"MYDOB", HD_COLUMN_MONTH, offsetof(row, c.mydob), 0, 0}, CODE(row, "SEX", c.sex),         \
        CODE(row, "ETHNOS", c.ethnos), CODE(row, "GPPRAC", c.gpprac),                              \
        CODE(row, "CCG_RESPONSIBILITY", c.ccg),                                                    \
        CODE(row, "CCG_RESPONSIBILITY_ORIGIN", c.ccg_origin), CODE(row, "PURCODE", c.purcode),     \
        TEXT(row, "LSOA11", c.lsoa), TEXT(row, "IMD04_DECILE", c.imd_decile),                      \
        NUM(row, "IMD04RK", c.imd_rank), NUM(row, "RURURB_IND", c.rural_urban),                    \
        CODE(row, "PROCODE", c.procode), CODE(row, "PROCODE3", c.procode3),                        \
        CODE(row, "PROCODE5", c.procode5), TEXT(row, "PROTYPE", c.protype),                        \
        CODE(row, "SITETRET", c.sitetret), TEXT(row, "FYEAR", c.fyear),                            \
        NUM(row, "PARTYEAR", c.partyear), KEY(row, "SUSRECID", c.susrecid)

static const struct spec apc[] = {
    PERSON_AND_PLACE(hd_apc_row),
    NUM(hd_apc_row, "STARTAGE", c.age),
    {"STARTAGE_CALC", HD_COLUMN_THOUSANDTHS, offsetof(hd_apc_row, c.age_thousandths), 0, 0},
    KEY(hd_apc_row, "EPIKEY", epikey),
    KEY(hd_apc_row, "AEKEY", aekey),
    KEY(hd_apc_row, "SUSSPELLID", susspellid),
    KEY(hd_apc_row, "PROVSPNOPS", provspno),
    DATE(hd_apc_row, "ADMIDATE", admidate),
    DATE(hd_apc_row, "EPISTART", epistart),
    DATE(hd_apc_row, "EPIEND", epiend),
    DATE(hd_apc_row, "DISDATE", disdate),
    DATE(hd_apc_row, "DISREADYDATE", disreadydate),
    DATE(hd_apc_row, "ELECDATE", elecdate),
    DATE(hd_apc_row, "SUBDATE", subdate),
    DATE(hd_apc_row, "SUSLDDATE", suslddate),
    NUM(hd_apc_row, "ELECDUR", elecdur),
    NUM(hd_apc_row, "EPIDUR", epidur),
    NUM(hd_apc_row, "BEDYEAR", bedyear),
    NUM(hd_apc_row, "EPIORDER", epiorder),
    NUM(hd_apc_row, "SPELBGIN", spelbgin),
    NUM(hd_apc_row, "SPELDUR", speldur),
    NUM(hd_apc_row, "SPELDUR_CALC", speldur_calc),
    NUM(hd_apc_row, "ENDAGE", endage),
    NUM(hd_apc_row, "FAE", fae),
    NUM(hd_apc_row, "FAE_EMERGENCY", fae_emergency),
    NUM(hd_apc_row, "FCE", fce),
    NUM(hd_apc_row, "FDE", fde),
    NUM(hd_apc_row, "WAITLIST", waitlist),
    NUM(hd_apc_row, "ACSCFLAG", acscflag),
    NUM(hd_apc_row, "RANK_ORDER", rank_order),
    NUM(hd_apc_row, "DIAG_COUNT", diag_count),
    NUM(hd_apc_row, "OPERTN_COUNT", opertn_count),
    CODE(hd_apc_row, "ADMIMETH", admimeth),
    CODE(hd_apc_row, "ADMISORC", admisorc),
    CODE(hd_apc_row, "ADMINCAT", admincat),
    CODE(hd_apc_row, "DISDEST", disdest),
    CODE(hd_apc_row, "DISMETH", dismeth),
    CODE(hd_apc_row, "CLASSPAT", classpat),
    CODE(hd_apc_row, "INTMANIG", intmanig),
    CODE(hd_apc_row, "EPISTAT", epistat),
    CODE(hd_apc_row, "EPITYPE", epitype),
    CODE(hd_apc_row, "MAINSPEF", mainspef),
    CODE(hd_apc_row, "TRETSPEF", tretspef),
    CODE(hd_apc_row, "SPELEND", spelend),
    CODE(hd_apc_row, "NEOCARE", neocare),
    CODE(hd_apc_row, "CAUSE", cause),
    CODE(hd_apc_row, "SUSHRG", sushrg),
    CODE(hd_apc_row, "SUSCOREHRG", suscorehrg),
    CODE(hd_apc_row, "SUSHRGVERS", sushrgvers),
    LIST(hd_apc_row, "DIAG_%02d", CODE, diag),
    LIST(hd_apc_row, "OPERTN_%02d", CODE, opertn),
    LIST(hd_apc_row, "OPDATE_%02d", DATE, opdate),
    NUM(hd_apc_row, "ANTEDUR", antedur),
    NUM(hd_apc_row, "POSTDUR", postdur),
    NUM(hd_apc_row, "MATAGE", matage),
    CODE(hd_apc_row, "NUMPREG", numpreg),
    NUM(hd_apc_row, "ANAGEST", anagest),
    NUM(hd_apc_row, "MATERNITY_EPISODE_TYPE", maternity_type),
    CODE(hd_apc_row, "NUMBABY", numbaby),
    CODE(hd_apc_row, "NUMTAILB", numtailb),
    CODE(hd_apc_row, "DELONSET", delonset),
    CODE(hd_apc_row, "DELMETH_D", delmeth_d),
    CODE(hd_apc_row, "WELL_BABY_IND", well_baby),
    LIST(hd_apc_row, "DELMETH_%d", CODE, delmeth),
    LIST(hd_apc_row, "DELPLAC_%d", CODE, delplac),
    LIST(hd_apc_row, "BIRSTAT_%d", CODE, birstat),
    LIST(hd_apc_row, "BIRWEIT_%d", NUMBER, birweit),
    LIST(hd_apc_row, "GESTAT_%d", NUMBER, gestat),
};

static const struct spec op[] = {
    PERSON_AND_PLACE(hd_op_row),
    NUM(hd_op_row, "APPTAGE", c.age),
    {"APPTAGE_CALC", HD_COLUMN_THOUSANDTHS, offsetof(hd_op_row, c.age_thousandths), 0, 0},
    KEY(hd_op_row, "ATTENDKEY", attendkey),
    DATE(hd_op_row, "APPTDATE", apptdate),
    DATE(hd_op_row, "REQDATE", reqdate),
    DATE(hd_op_row, "DNADATE", dnadate),
    NUM(hd_op_row, "ATTENDANCE", attendance),
    NUM(hd_op_row, "WAITING", waiting),
    NUM(hd_op_row, "WAIT_IND", wait_ind),
    NUM(hd_op_row, "PRIORITY", priority),
    CODE(hd_op_row, "ATTENDED", attended),
    CODE(hd_op_row, "FIRSTATT", firstatt),
    CODE(hd_op_row, "ATENTYPE", atentype),
    CODE(hd_op_row, "OUTCOME", outcome),
    CODE(hd_op_row, "REFSOURC", refsourc),
    CODE(hd_op_row, "ADMINCAT", admincat),
    CODE(hd_op_row, "MAINSPEF", mainspef),
    CODE(hd_op_row, "TRETSPEF", tretspef),
    CODE(hd_op_row, "SERVTYPE", servtype),
    CODE(hd_op_row, "STAFFTYP", stafftyp),
    CODE(hd_op_row, "CONSULTATION_MEDIUM_USED", medium),
    CODE(hd_op_row, "RTTPERSTAT", rttperstat),
    CODE(hd_op_row, "SUSHRG", sushrg),
    LIST(hd_op_row, "DIAG_%02d", CODE, diag),
    LIST(hd_op_row, "OPERTN_%02d", CODE, opertn),
};

static const struct spec ae[] = {
    PERSON_AND_PLACE(hd_ae_row),
    NUM(hd_ae_row, "ARRIVALAGE", c.age),
    {"ARRIVALAGE_CALC", HD_COLUMN_THOUSANDTHS, offsetof(hd_ae_row, c.age_thousandths), 0, 0},
    KEY(hd_ae_row, "AEKEY", aekey),
    KEY(hd_ae_row, "EPIKEY", epikey),
    DATE(hd_ae_row, "ARRIVALDATE", arrivaldate),
    CLOCK(hd_ae_row, "ARRIVALTIME", arrivaltime),
    CLOCK(hd_ae_row, "INITTIME", inittime),
    CLOCK(hd_ae_row, "TRETTIME", trettime),
    CLOCK(hd_ae_row, "CONCLTIME", concltime),
    CLOCK(hd_ae_row, "DEPTIME", deptime),
    NUM(hd_ae_row, "INITDUR", initdur),
    NUM(hd_ae_row, "TRETDUR", tretdur),
    NUM(hd_ae_row, "CONCLDUR", concldur),
    NUM(hd_ae_row, "DEPDUR", depdur),
    NUM(hd_ae_row, "RANK_ORDER", rank_order),
    NUM(hd_ae_row, "AEKEY_FLAG", aekey_flag),
    NUM(hd_ae_row, "AEATTEND_EXC_PLANNED", exc_planned),
    CODE(hd_ae_row, "AEDEPTTYPE", depttype),
    CODE(hd_ae_row, "AEATTENDCAT", attendcat),
    CODE(hd_ae_row, "AEARRIVALMODE", arrivalmode),
    CODE(hd_ae_row, "AEREFSOURCE", refsource),
    CODE(hd_ae_row, "AEPATGROUP", patgroup),
    CODE(hd_ae_row, "AEINCLOCTYPE", incloctype),
    CODE(hd_ae_row, "AEATTENDDISP", attenddisp),
    CODE(hd_ae_row, "DIAGSCHEME", diagscheme),
    CODE(hd_ae_row, "SUSHRG", sushrg),
    LIST(hd_ae_row, "DIAG_%02d", CODE, diag),
    LIST(hd_ae_row, "INVEST2_%02d", CODE, invest),
    LIST(hd_ae_row, "TREAT2_%02d", CODE, treat),
};

static const struct spec cc[] = {
    KEY(hd_cc_row, "SUSRECID", susrecid),
    TEXT(hd_cc_row, "FYEAR", fyear),
    NUM(hd_cc_row, "PARTYEAR", partyear),
    DATE8(hd_cc_row, "CCSTARTDATE", startdate),
    CLOCKL(hd_cc_row, "CCSTARTTIME", starttime),
    DATE8(hd_cc_row, "CCDISDATE", disdate),
    CLOCKL(hd_cc_row, "CCDISTIME", distime),
    DATE8(hd_cc_row, "CCDISRDYDATE", rdydate),
    CLOCKL(hd_cc_row, "CCDISRDYTIME", rdytime),
    DATE8(hd_cc_row, "CCACTIVDATE", activdate),
    NUM(hd_cc_row, "ACARDSUPDAYS", acard),
    NUM(hd_cc_row, "BCARDSUPDAYS", bcard),
    NUM(hd_cc_row, "ARESSUPDAYS", ares),
    NUM(hd_cc_row, "BRESSUPDAYS", bres),
    NUM(hd_cc_row, "GISUPDAYS", gi),
    NUM(hd_cc_row, "LIVERSUPDAYS", liver),
    NUM(hd_cc_row, "NEUROSUPDAYS", neuro),
    NUM(hd_cc_row, "RENSUPDAYS", ren),
    NUM(hd_cc_row, "DERMSUPDAYS", derm),
    NUM(hd_cc_row, "ORGSUPMAX", orgsupmax),
    NUM(hd_cc_row, "CCLEV2DAYS", lev2),
    NUM(hd_cc_row, "CCLEV3DAYS", lev3),
    NUM(hd_cc_row, "BESTMATCH", bestmatch),
    CODE(hd_cc_row, "CCPERTYPE", pertype),
    CODE(hd_cc_row, "CCUNITFUN", unitfun),
    CODE(hd_cc_row, "CCADMISORC", admisorc),
    CODE(hd_cc_row, "CCADMITYPE", admitype),
    CODE(hd_cc_row, "CCAPCREL", capcrel),
    CODE(hd_cc_row, "CCDISDEST", disdest),
    CODE(hd_cc_row, "CCDISLOC", disloc),
    CODE(hd_cc_row, "CCDISSTAT", disstat),
    CODE(hd_cc_row, "CCSORCLOC", sorcloc),
    CODE(hd_cc_row, "UNITBEDCONFIG", bedconfig),
};

static const struct spec ecds[] = {
    {"TOKEN_PERSON_ID", HD_COLUMN_TOKEN, offsetof(hd_ecds_row, c.token), 0, 0},
    CODE(hd_ecds_row, "STATED_GENDER", c.sex),
    CODE(hd_ecds_row, "ETHNIC_CATEGORY", c.ethnos),
    CODE(hd_ecds_row, "PDS_GENERAL_PRACTICE", c.gpprac),
    CODE(hd_ecds_row, "RESIDENCE_CCG", c.ccg),
    CODE(hd_ecds_row, "COMMISSIONER", c.purcode),
    TEXT(hd_ecds_row, "LSOA_2011", c.lsoa),
    CODE(hd_ecds_row, "PROVIDER_CODE", c.procode),
    CODE(hd_ecds_row, "PROVIDER_CODE_DERIVED", c.procode3),
    CODE(hd_ecds_row, "SITE", c.sitetret),
    NUM(hd_ecds_row, "AGE_AT_ARRIVAL", c.age),
    {"FRACTIONAL_AGE_AT_ARRIVAL", HD_COLUMN_THOUSANDTHS, offsetof(hd_ecds_row, c.age_thousandths),
     0, 0},
    KEY(hd_ecds_row, "EPIKEY", epikey),
    DATE(hd_ecds_row, "ARRIVAL_DATE", arrival_date),
    CLOCKL(hd_ecds_row, "ARRIVAL_TIME", arrival_time),
    DATE(hd_ecds_row, "ASSESSMENT_DATE", assessment_date),
    CLOCKL(hd_ecds_row, "ASSESSMENT_TIME", assessment_time),
    DATE(hd_ecds_row, "SEEN_DATE", seen_date),
    CLOCKL(hd_ecds_row, "SEEN_TIME", seen_time),
    DATE(hd_ecds_row, "DECIDED_TO_ADMIT_DATE", decided_date),
    CLOCKL(hd_ecds_row, "DECIDED_TO_ADMIT_TIME", decided_time),
    DATE(hd_ecds_row, "CONCLUSION_DATE", conclusion_date),
    CLOCKL(hd_ecds_row, "CONCLUSION_TIME", conclusion_time),
    DATE(hd_ecds_row, "DEPARTURE_DATE", departure_date),
    CLOCKL(hd_ecds_row, "DEPARTURE_TIME", departure_time),
    NUM(hd_ecds_row, "INITIAL_ASSESSMENT_TIME_SINCE_ARRIVAL", assessment_minutes),
    NUM(hd_ecds_row, "SEEN_FOR_TREATMENT_TIME_SINCE_ARRIVAL", seen_minutes),
    NUM(hd_ecds_row, "DECISION_TO_ADMIT_TIME_SINCE_ARRIVAL", decided_minutes),
    NUM(hd_ecds_row, "CONCLUSION_TIME_SINCE_ARRIVAL", conclusion_minutes),
    NUM(hd_ecds_row, "DEPARTURE_TIME_SINCE_ARRIVAL", departure_minutes),
    NUM(hd_ecds_row, "BIRTH_MONTH", birth_month),
    NUM(hd_ecds_row, "BIRTH_YEAR", birth_year),
    CODE(hd_ecds_row, "DEPARTMENT_TYPE", department_type),
    CODE(hd_ecds_row, "ATTENDANCE_CATEGORY", attendance_category),
    CODE(hd_ecds_row, "HEALTH_RESOURCE_GROUP", hrg),
    TEXT(hd_ecds_row, "ARRIVAL_MODE", arrival_mode),
    TEXT(hd_ecds_row, "ACUITY", acuity),
    TEXT(hd_ecds_row, "CHIEF_COMPLAINT", chief_complaint),
    TEXT(hd_ecds_row, "DISCHARGE_STATUS", discharge_status),
    TEXT(hd_ecds_row, "DISCHARGE_DESTINATION", discharge_destination),
    LIST(hd_ecds_row, "DIAGNOSIS_CODE_%d", TEXT, diagnosis),
    LIST(hd_ecds_row, "INVESTIGATION_CODE_%d", TEXT, investigation),
};

static const struct {
    const char *tag;
    const struct spec *specs;
    size_t n;
} datasets[HD_N_DATASETS] = {
    {"HES_APC", apc, sizeof apc / sizeof *apc}, {"HES_OP", op, sizeof op / sizeof *op},
    {"HES_AE", ae, sizeof ae / sizeof *ae},     {"HES_CC", cc, sizeof cc / sizeof *cc},
    {"ECDS", ecds, sizeof ecds / sizeof *ecds},
};

/* Bytes a value of a kind takes at most; a spot may stand in its place. */
enum { MAX_VALUE = sizeof(((hd_spot *)0)->text) };

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hd_column *)a)->name, ((const hd_column *)b)->name);
}

void hd_layout_open(hd_layout *l, hd_dataset dataset)
{
    *l = (hd_layout){.tag = datasets[dataset].tag};
    for (size_t i = 0; i < datasets[dataset].n; i++) {
        const struct spec *s = &datasets[dataset].specs[i];
        for (unsigned k = 0; k < (s->n ? s->n : 1); k++) {
            HD_ALWAYS(l->n_columns < HD_MAX_COLUMNS);
            hd_column *c = &l->columns[l->n_columns++];
            const char *mark = strchr(s->name, '%');
            if (mark)
                snprintf(c->name, sizeof c->name, mark[1] == '0' ? "%.*s%02u" : "%.*s%u",
                         (int)(mark - s->name), s->name, k + 1);
            else
                snprintf(c->name, sizeof c->name, "%s", s->name);
            c->kind = s->kind;
            c->offset = s->offset + k * s->stride;
        }
    }
    qsort(l->columns, l->n_columns, sizeof *l->columns, by_name);
    l->max_row = l->n_columns * (MAX_VALUE + 1);
}

int hd_layout_column(const hd_layout *l, const char *name)
{
    for (size_t i = 0; i < l->n_columns; i++)
        if (strcmp(l->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

void hd_layout_header(const hd_layout *l, hd_buf *out)
{
    for (size_t i = 0; i < l->n_columns; i++) {
        hd_buf_str(out, l->columns[i].name);
        hd_buf_char(out, i + 1 < l->n_columns ? '|' : '\n');
    }
}

static char *put_text(char *out, const char *s, size_t max)
{
    for (size_t i = 0; i < max && s[i]; i++)
        *out++ = s[i];
    return out;
}

static char *put_unsigned(char *out, uint64_t v)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *out++ = digits[--n];
    return out;
}

static char *put_number(char *out, int32_t v)
{
    if (v < 0)
        *out++ = '-';
    return put_unsigned(out, v < 0 ? (uint64_t)-(int64_t)v : (uint64_t)v);
}

static char *put_two(char *out, int v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
    return out + 2;
}

static char *put_date(char *out, int32_t date, bool with_dashes)
{
    int y, m, d;
    hd_date_to_ymd(date, &y, &m, &d);
    out = put_two(put_two(out, y / 100), y);
    if (with_dashes)
        *out++ = '-';
    out = put_two(out, m);
    if (with_dashes)
        *out++ = '-';
    return put_two(out, d);
}

static char *put_month(char *out, int32_t date)
{
    int y, m, d;
    hd_date_to_ymd(date, &y, &m, &d);
    return put_two(put_two(put_two(out, m), y / 100), y);
}

static char *put_token(char *out, const uint64_t token[2])
{
    for (int k = 0; k < 2; k++)
        for (int shift = 60; shift >= 0; shift -= 4)
            *out++ = "0123456789ABCDEF"[token[k] >> shift & 15];
    return out;
}

static char *put_clock(char *out, int32_t minutes, bool is_long)
{
    if (minutes < 0) /* a sentinel */
        return put_unsigned(out, (uint64_t)-(int64_t)minutes);
    out = put_two(out, minutes / 60 % 24);
    if (is_long)
        *out++ = ':';
    out = put_two(out, minutes % 60);
    if (is_long)
        out = put_text(out, ":00", 3);
    return out;
}

static char *put_thousandths(char *out, int32_t v)
{
    out = put_unsigned(out, (uint64_t)v / 1000);
    if (v % 1000 == 0)
        return out;
    *out++ = '.';
    *out++ = (char)('0' + v / 100 % 10);
    return put_two(out, v % 100);
}

static char *put_integer_kind(hd_column_kind kind, int32_t v, char *out)
{
    if (v == HD_NONE)
        return out;
    switch (kind) {
    case HD_COLUMN_DATE:
        return put_date(out, v, true);
    case HD_COLUMN_DATE8:
        return put_date(out, v, false);
    case HD_COLUMN_MONTH:
        return put_month(out, v);
    case HD_COLUMN_CLOCK:
        return put_clock(out, v, false);
    case HD_COLUMN_CLOCK_LONG:
        return put_clock(out, v, true);
    case HD_COLUMN_THOUSANDTHS:
        return put_thousandths(out, v);
    default:
        return put_number(out, v);
    }
}

static char *put_value(const hd_column *c, const void *row, char *out)
{
    const char *at = (const char *)row + c->offset;
    switch (c->kind) {
    case HD_COLUMN_CODE:
        return put_text(out, at, sizeof(hd_code8));
    case HD_COLUMN_TEXT: {
        const char *s = *(const char *const *)(const void *)at;
        return s ? put_text(out, s, MAX_VALUE) : out;
    }
    case HD_COLUMN_KEY: {
        uint64_t key = *(const uint64_t *)(const void *)at;
        return key ? put_unsigned(out, key) : out;
    }
    case HD_COLUMN_TOKEN: {
        const uint64_t *token = (const uint64_t *)(const void *)at;
        return token[0] | token[1] ? put_token(out, token) : out;
    }
    default:
        return put_integer_kind(c->kind, *(const int32_t *)(const void *)at, out);
    }
}

size_t hd_layout_row(const hd_layout *l, const void *row, const hd_spot *spot, char *out)
{
    char *at = out;
    for (size_t i = 0; i < l->n_columns; i++) {
        if ((int)i == spot->column)
            at = put_text(at, spot->text, sizeof spot->text);
        else
            at = put_value(&l->columns[i], row, at);
        *at++ = '|';
    }
    at[-1] = '\n';
    return (size_t)(at - out);
}

void hd_layout_get(const hd_layout *l, int column, const void *row, char out[64])
{
    *put_value(&l->columns[column], row, out) = '\0';
}

void hd_layout_set(const hd_layout *l, int column, void *row, const char *text)
{
    const hd_column *c = &l->columns[column];
    char *at = (char *)row + c->offset;
    switch (c->kind) {
    case HD_COLUMN_CODE:
        *(hd_code8 *)(void *)at = hd_code8_of(text);
        break;
    case HD_COLUMN_TEXT:
        *(const char **)(void *)at = text;
        break;
    case HD_COLUMN_KEY:
        *(uint64_t *)(void *)at = strtoull(text, NULL, 10);
        break;
    case HD_COLUMN_TOKEN:
        memset(at, 0, 2 * sizeof(uint64_t)); /* a person can only be taken away */
        break;
    case HD_COLUMN_DATE:
    case HD_COLUMN_DATE8:
    case HD_COLUMN_MONTH:
        *(int32_t *)(void *)at = hd_date_parse(text, strlen(text));
        break;
    default:
        *(int32_t *)(void *)at = *text ? (int32_t)strtol(text, NULL, 10) : HD_NONE;
    }
}
