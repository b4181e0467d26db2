/* layout.h - the rows of the five data sets and how they become text: one table of columns each,
 * sorted by name as deliveries are; the header row is made from the same table.
 *
 * A row struct holds the values. Unknown is: number HD_NONE, date HD_DATE_NONE, key 0, code or text
 * empty. A sentinel date is simply its day. What must be printed otherwise than the value (padding,
 * the word NULL) is one hd_spot beside the row.
 */
#ifndef HD_SYNTH_LAYOUT_H
#define HD_SYNTH_LAYOUT_H

#include "base/buf.h"
#include "base/date.h"
#include "synth/synth.h"

#define HD_NONE INT32_MIN

typedef enum hd_dataset { HD_APC, HD_OP, HD_AE, HD_CC, HD_ECDS, HD_N_DATASETS } hd_dataset;

enum {
    HD_N_DIAGNOSES = 20,
    HD_N_PROCEDURES = 24,
    HD_N_BABIES = 9,
    HD_N_EMERGENCY_CODES = 12,
    HD_CLOCK_INVALID = -3000,
    HD_CLOCK_MISSING = -4000
};

typedef struct hd_code8 {
    char s[8]; /* up to 7 bytes, the rest 0 */
} hd_code8;

/* What rows of all data sets say about person, place and organisation. */
typedef struct hd_row_common {
    uint64_t token[2]; /* both 0: no person */
    uint64_t susrecid;
    const char *fyear, *lsoa, *imd_decile, *protype;
    int32_t partyear, mydob, imd_rank, rural_urban;
    int32_t age, age_thousandths;
    hd_code8 sex, ethnos, gpprac, ccg, ccg_origin, purcode;
    hd_code8 procode, procode3, procode5, sitetret;
} hd_row_common;

typedef struct hd_apc_row {
    hd_row_common c;
    uint64_t epikey, aekey, susspellid, provspno;
    int32_t admidate, epistart, epiend, disdate, disreadydate, elecdate, subdate, suslddate;
    int32_t elecdur, epidur, bedyear, epiorder, spelbgin, speldur, speldur_calc;
    int32_t endage, fae, fae_emergency, fce, fde, waitlist, acscflag, rank_order;
    int32_t diag_count, opertn_count;
    hd_code8 admimeth, admisorc, admincat, disdest, dismeth, classpat, intmanig, epistat, epitype;
    hd_code8 mainspef, tretspef, spelend, neocare, cause, sushrg, suscorehrg, sushrgvers;
    hd_code8 diag[HD_N_DIAGNOSES];
    hd_code8 opertn[HD_N_PROCEDURES];
    int32_t opdate[HD_N_PROCEDURES];
    /* maternity tail */
    int32_t antedur, postdur, matage, anagest, maternity_type;
    hd_code8 numpreg, numbaby, numtailb, delonset, delmeth_d, well_baby;
    hd_code8 delmeth[HD_N_BABIES], delplac[HD_N_BABIES], birstat[HD_N_BABIES];
    int32_t birweit[HD_N_BABIES], gestat[HD_N_BABIES];
    int year; /* data year of the file */
} hd_apc_row;

typedef struct hd_op_row {
    hd_row_common c;
    uint64_t attendkey;
    int32_t apptdate, reqdate, dnadate;
    int32_t attendance, waiting, wait_ind, priority;
    hd_code8 attended, firstatt, atentype, outcome, refsourc, admincat, mainspef, tretspef;
    hd_code8 servtype, stafftyp, medium, rttperstat, sushrg;
    hd_code8 diag[12];
    hd_code8 opertn[HD_N_PROCEDURES];
    int year;
} hd_op_row;

typedef struct hd_ae_row {
    hd_row_common c;
    uint64_t aekey, epikey;
    int32_t arrivaldate, arrivaltime, inittime, trettime, concltime, deptime;
    int32_t initdur, tretdur, concldur, depdur;
    int32_t rank_order, aekey_flag, exc_planned;
    hd_code8 depttype, attendcat, arrivalmode, refsource, patgroup, incloctype, attenddisp;
    hd_code8 diagscheme, sushrg;
    hd_code8 diag[HD_N_EMERGENCY_CODES], invest[HD_N_EMERGENCY_CODES], treat[HD_N_EMERGENCY_CODES];
    int year;
} hd_ae_row;

typedef struct hd_cc_row {
    uint64_t susrecid;
    const char *fyear;
    int32_t partyear;
    int32_t startdate, starttime, disdate, distime, rdydate, rdytime, activdate;
    int32_t acard, bcard, ares, bres, gi, liver, neuro, ren, derm, orgsupmax, lev2, lev3;
    int32_t bestmatch;
    hd_code8 pertype, unitfun, admisorc, admitype, capcrel, disdest, disloc, disstat, sorcloc;
    hd_code8 bedconfig;
    int year;
} hd_cc_row;

typedef struct hd_ecds_row {
    hd_row_common c;
    uint64_t epikey;
    int32_t arrival_date, arrival_time, assessment_date, assessment_time, seen_date, seen_time;
    int32_t decided_date, decided_time, conclusion_date, conclusion_time;
    int32_t departure_date, departure_time;
    int32_t assessment_minutes, seen_minutes, decided_minutes, conclusion_minutes;
    int32_t departure_minutes;
    int32_t birth_month, birth_year;
    hd_code8 department_type, attendance_category, hrg;
    const char *arrival_mode, *acuity, *chief_complaint, *discharge_status, *discharge_destination;
    const char *diagnosis[HD_N_EMERGENCY_CODES], *investigation[HD_N_EMERGENCY_CODES];
    int year;
} hd_ecds_row;

/* Print one column otherwise than its value. */
typedef struct hd_spot {
    int column; /* -1: none */
    char text[48];
} hd_spot;

typedef enum hd_column_kind {
    HD_COLUMN_CODE,
    HD_COLUMN_TEXT,
    HD_COLUMN_NUMBER,
    HD_COLUMN_DATE,
    HD_COLUMN_DATE8,       /* YYYYMMDD */
    HD_COLUMN_MONTH,       /* a date as MMYYYY */
    HD_COLUMN_KEY,         /* decimal */
    HD_COLUMN_TOKEN,       /* 32 hexadecimal digits */
    HD_COLUMN_CLOCK,       /* minutes of the day as hhmm */
    HD_COLUMN_CLOCK_LONG,  /* minutes of the day as hh:mm:ss */
    HD_COLUMN_THOUSANDTHS, /* 375 as 0.375 */
} hd_column_kind;

typedef struct hd_column {
    char name[48];
    hd_column_kind kind;
    size_t offset;
} hd_column;

enum { HD_MAX_COLUMNS = 192 };

typedef struct hd_layout {
    const char *tag; /* HES_APC */
    size_t n_columns;
    hd_column columns[HD_MAX_COLUMNS]; /* by name */
    size_t max_row;                    /* bytes a row can take, newline included */
} hd_layout;

void hd_layout_open(hd_layout *l, hd_dataset dataset);
int hd_layout_column(const hd_layout *l, const char *name); /* or -1 */
void hd_layout_header(const hd_layout *l, hd_buf *out);
/* Write the row at out, which has room for max_row bytes; returns the bytes used. */
size_t hd_layout_row(const hd_layout *l, const void *row, const hd_spot *spot, char *out);

/* The value of a column as it would be printed, NUL-terminated, and its setting from text: for
 * dates, codes and numbers only. "" makes it unknown. */
void hd_layout_get(const hd_layout *l, int column, const void *row, char out[64]);
void hd_layout_set(const hd_layout *l, int column, void *row, const char *text);

static inline hd_code8 hd_code8_of(const char *s)
{
    hd_code8 c = {{0}};
    for (int i = 0; i < 7 && s[i]; i++)
        c.s[i] = s[i];
    return c;
}

static inline bool hd_code8_is(hd_code8 c, const char *s)
{
    int i = 0;
    while (i < 7 && s[i] && c.s[i] == s[i])
        i++;
    return c.s[i] == '\0' && s[i] == '\0';
}

static inline bool hd_date_is_real(int32_t date)
{
    return date >= -25567; /* 1900-01-01; HD_DATE_NONE is smaller */
}

#endif
