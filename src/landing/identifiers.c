/* identifiers.c - see identifiers.h. */
#include "landing/identifiers.h"
#include "base/date.h"
#include "landing/judge.h"

#include <string.h>

/* Fewer different values than this are no evidence. Three valid NHS numbers among at most six
 * 10-digit values come up by chance in about one column of 100 random ones with just six values,
 * and in one of 10^5 with twenty: below that size a wrong refusal costs a look, not a leak. */
static const uint64_t MINIMUM = 3;
/* Share of old dates: activity is recent, births are not. Years before the data year. */
enum { OLD_YEARS = 15, OLDEST_YEARS = 125 };

bool hd_nhs_number_ok(const char *digits)
{
    int sum = 0;
    for (int i = 0; i < 9; i++)
        sum += (digits[i] - '0') * (10 - i);
    int check = 11 - sum % 11;
    return check != 10 && (check == 11 ? 0 : check) == digits[9] - '0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Runs of ten digits anywhere in the text, and the whole text in 3-3-4 notation. */
static unsigned find_numbers(const char *p, size_t len)
{
    unsigned found = 0;
    char scratch[10];
    const char *id = p;
    size_t id_len = len;
    if (len == 12 && hd_normal_id(&id, &id_len, scratch) && id == scratch && id_len == 10)
        return HD_SHAPE_TEN_DIGITS | (hd_nhs_number_ok(id) ? HD_SHAPE_NHS_NUMBER : 0);
    for (size_t i = 0; i < len;) {
        size_t run = 0;
        while (i + run < len && is_digit(p[i + run]))
            run++;
        if (run == 10)
            found |= HD_SHAPE_TEN_DIGITS | (hd_nhs_number_ok(p + i) ? HD_SHAPE_NHS_NUMBER : 0);
        i += run ? run : 1;
    }
    return found;
}

/* A9 9AA, A99 9AA, AA9 9AA, AA99 9AA, A9A 9AA, AA9A 9AA. */
static bool is_postcode(const char *p, size_t len)
{
    if (len < 5 || len > 8)
        return false;
    const char *in = p + len - 3;
    if (!is_digit(in[0]) || !is_letter(in[1]) || !is_letter(in[2]))
        return false;
    size_t out = len - 3;
    if (p[out - 1] == ' ')
        out--;
    size_t letters = 0;
    while (letters < out && is_letter(p[letters]))
        letters++;
    size_t rest = out - letters;
    if (letters < 1 || letters > 2 || rest < 1 || rest > 2 || !is_digit(p[letters]))
        return false;
    return rest == 1 || is_digit(p[letters + 1]) || is_letter(p[letters + 1]);
}

/* Organisation codes look like postcodes without the space (Y07BC); a single value is taken for one
 * when it has the space, or when the area exists and the district is written as districts are. */
static bool is_real_postcode(const char *p, size_t len)
{
    static const char areas[] =
        " B E G L M N S W AB AL BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD "
        "DE DG DH DL DN DT DY EC EH EN EX FK FY GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA "
        "KT KW KY LA LD LE LL LN LS LU ME MK ML NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM "
        "SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB WA WC WD WF WN WR WS "
        "WV YO ZE ZZ ";
    if (!is_postcode(p, len))
        return false;
    if (p[len - 4] == ' ')
        return true;
    char area[5] = " ";
    size_t n = 0;
    for (; is_letter(p[n]); n++)
        area[n + 1] = (char)(p[n] & ~0x20);
    area[n + 1] = ' ';
    return strstr(areas, area) && !(p[n] == '0' && len - 3 - n == 2 && is_digit(p[n + 1]));
}

unsigned hd_identifier_shape(const char *text, size_t len, int year)
{
    if (!hd_trim(&text, &len))
        return 0;
    unsigned found = find_numbers(text, len);
    if (is_postcode(text, len))
        found |= HD_SHAPE_POSTCODE | (is_real_postcode(text, len) ? HD_SHAPE_REAL_POSTCODE : 0);
    int32_t date = len >= 8 ? hd_landing_date(text, len) : HD_DATE_NONE;
    if (date != HD_DATE_NONE) {
        int y, m, d;
        hd_date_to_ymd(date, &y, &m, &d);
        if (y >= 1850 && y <= 2200) { /* sentinels are no dates, and not every number is one */
            found |= HD_SHAPE_DATE;
            if (year && y < year - OLD_YEARS && y > year - OLDEST_YEARS)
                found |= HD_SHAPE_OLD_DATE;
        }
    }
    return found;
}

void hd_identifier_note(hd_identifier_counts *c, unsigned shape)
{
    c->values++;
    c->ten_digits += (shape & HD_SHAPE_TEN_DIGITS) != 0;
    c->nhs_numbers += (shape & HD_SHAPE_NHS_NUMBER) != 0;
    c->postcodes += (shape & HD_SHAPE_POSTCODE) != 0;
    c->dates += (shape & HD_SHAPE_DATE) != 0;
    c->old_dates += (shape & HD_SHAPE_OLD_DATE) != 0;
}

unsigned hd_identifier_verdict(const hd_identifier_counts *c, bool is_date)
{
    if (c->nhs_numbers >= MINIMUM && c->nhs_numbers * 2 >= c->ten_digits)
        return HD_SHAPE_NHS_NUMBER;
    if (c->postcodes >= MINIMUM && c->postcodes * 50 >= c->values)
        return HD_SHAPE_POSTCODE;
    /* A column of activity dates has few old ones; one of births has mostly old ones. */
    if (!is_date && c->old_dates >= MINIMUM && c->dates * 10 >= c->values &&
        c->old_dates * 2 >= c->dates)
        return HD_SHAPE_OLD_DATE;
    return 0;
}

const char *hd_identifier_name(unsigned shape)
{
    return shape == HD_SHAPE_NHS_NUMBER ? "NHS numbers"
           : shape == HD_SHAPE_POSTCODE ? "postcodes"
                                        : "dates of birth";
}
