/* ageband.c - see ageband.h. A label is brought to a short form ("5to 9 years" -> "5-9", "85 and
 * over" -> "85&+"), whose parts around its one or two numbers are looked up. */
#include "statistics/ageband.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

enum { LABEL = 64 };

/* The first that fits is taken, so "older" stands before "old". */
static const struct {
    const char *word, *form;
} words[] = {{"\xE2\x80\x93", "-"},
             {"\xE2\x80\x94", "-"},
             {"\xE2\x89\xA5", ">="},
             {"\xE2\x89\xA4", "<="},
             {"\xC2\xA0", ""},
             {"older", "+"},
             {"over", "+"},
             {"above", "+"},
             {"more", "+"},
             {"plus", "+"},
             {"under", "<"},
             {"below", "<"},
             {"less", "<"},
             {"younger", "<"},
             {"than", ""},
             {"years", ""},
             {"year", ""},
             {"yrs", ""},
             {"yr", ""},
             {"aged", ""},
             {"ages", ""},
             {"age", ""},
             {"old", ""},
             {"and", "&"},
             {"or", "&"},
             {"to", "-"}};

static bool shorten(const char *label, char out[LABEL])
{
    size_t n = 0;
    while (*label) {
        const char *form = NULL;
        size_t len = 1;
        char self[2] = {(char)tolower((unsigned char)*label), '\0'};
        for (size_t i = 0; !form && i < sizeof words / sizeof *words; i++)
            if (strncasecmp(label, words[i].word, strlen(words[i].word)) == 0) {
                form = words[i].form;
                len = strlen(words[i].word);
            }
        if (!form)
            form = isspace((unsigned char)*label) ? "" : self;
        if (n + strlen(form) >= LABEL)
            return false;
        memcpy(out + n, form, strlen(form));
        n += strlen(form);
        label += len;
    }
    out[n] = '\0';
    return true;
}

/* The number at *p, which moves behind it; false when there is none or it has more than 3 digits.
 */
static bool take_age(const char **p, int *age)
{
    size_t digits = strspn(*p, "0123456789");
    if (digits < 1 || digits > 3)
        return false;
    *age = 0;
    for (; digits > 0; digits--)
        *age = *age * 10 + (*(*p)++ - '0');
    return true;
}

enum { BARE, OPEN_FROM, OPEN_AFTER, UP_TO, BELOW };
static const struct {
    const char *before, *after;
    int kind;
} single[] = {{"", "", BARE},        {"", "+", OPEN_FROM},  {"", "&+", OPEN_FROM},
              {">=", "", OPEN_FROM}, {">", "", OPEN_AFTER}, {"+", "", OPEN_AFTER},
              {"<=", "", UP_TO},     {"", "&<", UP_TO},     {"<", "", BELOW}};

static bool one_number(const char *before, size_t n, int age, const char *after, hd_age_span *out)
{
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        if (strlen(single[i].before) != n || memcmp(single[i].before, before, n) != 0 ||
            strcmp(single[i].after, after) != 0)
            continue;
        const hd_age_span kinds[] = {[BARE] = {age, age, true},
                                     [OPEN_FROM] = {age, INT_MAX, false},
                                     [OPEN_AFTER] = {age + 1, INT_MAX, false},
                                     [UP_TO] = {0, age, false},
                                     [BELOW] = {0, age - 1, false}};
        *out = kinds[single[i].kind];
        return out->first <= out->last;
    }
    return false;
}

bool hd_age_span_of(const char *label, hd_age_span *out)
{
    /* What may stand between two ages; true where the second is not in the band. */
    static const struct {
        const char *text;
        bool below;
    } between[] = {{"-", false}, {"_", false}, {"-<", true}, {"&<", true}};
    char text[LABEL];
    int first, last;
    if (!shorten(label, text))
        return false;
    const char *p = text + strcspn(text, "0123456789"), *middle;
    size_t before = (size_t)(p - text);
    if (!take_age(&p, &first))
        return false;
    middle = p;
    p += strcspn(p, "0123456789");
    if (!*p)
        return one_number(text, before, first, middle, out);
    size_t n = (size_t)(p - middle);
    if (before > 0 || !take_age(&p, &last) || *p)
        return false;
    for (size_t i = 0; i < sizeof between / sizeof *between; i++)
        if (strlen(between[i].text) == n && memcmp(between[i].text, middle, n) == 0) {
            *out = (hd_age_span){first, last - between[i].below, false};
            return out->first <= out->last;
        }
    return false;
}

void hd_age_spans_close(hd_age_span *spans, size_t n)
{
    enum { AGES = 1002 }; /* labels have three digits; one more after "over 999" */
    int next[AGES];       /* the least first age above this one */
    bool starts[AGES] = {false};
    for (size_t i = 0; i < n; i++) {
        if (!spans[i].bare && spans[i].last > 0 && spans[i].last != INT_MAX)
            return;
        starts[spans[i].first] = true;
    }
    for (int age = AGES - 1, above = INT_MAX; age >= 0; age--) {
        next[age] = above;
        above = starts[age] ? age : above;
    }
    for (size_t i = 0; i < n; i++)
        if (spans[i].bare)
            spans[i].last = next[spans[i].first] == INT_MAX ? INT_MAX : next[spans[i].first] - 1;
}
