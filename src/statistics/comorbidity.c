/* comorbidity.c - see comorbidity.h. The lists are written as they are published, with ranges; a
 * map is unfolded once into a sorted table of prefixes of 3 and 4 characters, each with its
 * conditions. */
#include "statistics/comorbidity.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Quan and others, Medical Care 2005; weights Charlson 1987 and Quan 2011. */
static const hd_comorbidity_condition charlson[] = {
    {"mi", "I21 I22 I252", {1, 0}, NULL},
    {"chf", "I099 I110 I130 I132 I255 I420 I425-I429 I43 I50 P290", {1, 2}, NULL},
    {"pvd", "I70 I71 I731 I738 I739 I771 I790 I792 K551 K558 K559 Z958 Z959", {1, 0}, NULL},
    {"cevd", "G45 G46 H340 I60-I69", {1, 0}, NULL},
    {"dementia", "F00-F03 F051 G30 G311", {1, 2}, NULL},
    {"cpd", "I278 I279 J40-J47 J60-J67 J684 J701 J703", {1, 1}, NULL},
    {"rheumd", "M05 M06 M315 M32-M34 M351 M353 M360", {1, 1}, NULL},
    {"pud", "K25-K28", {1, 0}, NULL},
    {"mld",
     "B18 K700-K703 K709 K713-K715 K717 K73 K74 K760 K762-K764 K768 K769 Z944",
     {1, 2},
     "msld"},
    {"diab",
     "E100 E101 E106 E108 E109 E110 E111 E116 E118 E119 E120 E121 E126 E128 E129 E130 E131 E136 "
     "E138 E139 E140 E141 E146 E148 E149",
     {1, 0},
     "diabwc"},
    {"diabwc",
     "E102-E105 E107 E112-E115 E117 E122-E125 E127 E132-E135 E137 E142-E145 E147",
     {2, 1},
     NULL},
    {"hp", "G041 G114 G801 G802 G81 G82 G830-G834 G839", {2, 2}, NULL},
    {"rend", "I120 I131 N032-N037 N052-N057 N18 N19 N250 Z490-Z492 Z940 Z992", {2, 1}, NULL},
    {"canc", "C00-C26 C30-C34 C37-C41 C43 C45-C58 C60-C76 C81-C85 C88 C90-C97", {2, 2}, "metacanc"},
    {"msld", "I850 I859 I864 I982 K704 K711 K721 K729 K765-K767", {3, 4}, NULL},
    {"metacanc", "C77-C80", {6, 6}, NULL},
    {"aids", "B20-B22 B24", {6, 4}, NULL}};

/* Elixhauser's conditions as coded by Quan 2005; weights van Walraven 2009 and Sharma 2021 (Swiss).
 */
static const hd_comorbidity_condition elixhauser[] = {
    {"chf", "I099 I110 I130 I132 I255 I420 I425-I429 I43 I50 P290", {7, 13}, NULL},
    {"carit", "I441-I443 I456 I459 I47-I49 R000 R001 R008 T821 Z450 Z950", {5, 6}, NULL},
    {"valv", "A520 I05-I08 I091 I098 I34-I39 Q230-Q233 Z952-Z954", {-1, -1}, NULL},
    {"pcd", "I26 I27 I280 I288 I289", {4, 6}, NULL},
    {"pvd", "I70 I71 I731 I738 I739 I771 I790 I792 K551 K558 K559 Z958 Z959", {2, 3}, NULL},
    {"hypunc", "I10", {0, -4}, "hypc"},
    {"hypc", "I11-I13 I15", {0, -3}, NULL},
    {"para", "G041 G114 G801 G802 G81 G82 G830-G834 G839", {7, 11}, NULL},
    {"ond",
     "G10-G13 G20-G22 G254 G255 G312 G318 G319 G32 G35-G37 G40 G41 G931 G934 R470 R56",
     {6, 10},
     NULL},
    {"cpd", "I278 I279 J40-J47 J60-J67 J684 J701 J703", {3, 3}, NULL},
    {"diabunc",
     "E100 E101 E109 E110 E111 E119 E120 E121 E129 E130 E131 E139 E140 E141 E149",
     {0, 1},
     "diabc"},
    {"diabc", "E102-E108 E112-E118 E122-E128 E132-E138 E142-E148", {0, -1}, NULL},
    {"hypothy", "E00-E03 E890", {0, -3}, NULL},
    {"rf", "I120 I131 N18 N19 N250 Z490-Z492 Z940 Z992", {5, 8}, NULL},
    {"ld", "B18 I85 I864 I982 K70 K711 K713-K715 K717 K72-K74 K760 K762-K769 Z944", {11, 16}, NULL},
    {"pud", "K257 K259 K267 K269 K277 K279 K287 K289", {0, 0}, NULL},
    {"aids", "B20-B22 B24", {0, 0}, NULL},
    {"lymph", "C81-C85 C88 C96 C900 C902", {9, 9}, NULL},
    {"metacanc", "C77-C80", {12, 17}, NULL},
    {"solidtum", "C00-C26 C30-C34 C37-C41 C43 C45-C58 C60-C76 C97", {4, 10}, "metacanc"},
    {"rheumd",
     "L940 L941 L943 M05 M06 M08 M120 M123 M30 M310-M313 M32-M35 M45 M461 M468 M469",
     {0, -1},
     NULL},
    {"coag", "D65-D68 D691 D693-D696", {3, 9}, NULL},
    {"obes", "E66", {-4, -6}, NULL},
    {"wloss", "E40-E46 R634 R64", {6, 6}, NULL},
    {"fed", "E222 E86 E87", {5, 5}, NULL},
    {"blane", "D500", {-2, -5}, NULL},
    {"dane", "D508 D509 D51-D53", {-2, -7}, NULL},
    {"alcohol", "F10 E52 G621 I426 K292 K700 K703 K709 T51 Z502 Z714 Z721", {0, -3}, NULL},
    {"drug", "F11-F16 F18 F19 Z715 Z722", {-7, -5}, NULL},
    {"psycho", "F20 F22-F25 F28 F29 F302 F312 F315", {0, -4}, NULL},
    {"depre", "F204 F313-F315 F32 F33 F341 F412 F432", {-3, -3}, NULL}};

/* As quoted from the indicator's specification of 2020 and 2026: doc/methods.md. */
static const hd_comorbidity_condition shmi[] = {
    {"acute_mi", "I21-I23 I252 I258", {5}, NULL},
    {"cerebrovascular", "G450-G452 G454 G458 G459 G46 I60-I69", {11}, NULL},
    {"heart_failure", "I50", {13}, NULL},
    {"connective_tissue", "M05 M060 M063 M069 M32 M332 M34 M353", {4}, NULL},
    {"dementia", "F00-F03 F051", {14}, NULL},
    {"diabetes",
     "E101 E105 E106 E108 E109 E111 E115 E116 E118 E119 E131 E136 E138 E139 E141 E145 E146 E148 "
     "E149",
     {3},
     "diabetic_complications"},
    {"liver", "K702 K703 K717 K73 K74", {8}, "severe_liver"},
    {"peptic_ulcer", "K25-K28", {9}, NULL},
    {"peripheral_vascular", "I71 I739 I790 R02 Z958 Z959", {6}, NULL},
    {"pulmonary", "J40-J47 J60-J67", {4}, NULL},
    {"cancer", "C00-C76 C80-C97", {8}, "metastatic_cancer"},
    {"diabetic_complications",
     "E102-E104 E107 E112-E114 E117 E132-E134 E137 E142-E144 E147",
     {-1},
     NULL},
    {"paraplegia", "G041 G81 G820-G822", {1}, NULL},
    {"renal", "I12 I13 N01 N03 N052-N056 N072-N074 N18 N19 N25", {10}, NULL},
    {"metastatic_cancer", "C77-C79", {14}, NULL},
    {"severe_liver", "K721 K729 K766 K767", {18}, NULL},
    {"hiv", "B20-B24 O987", {2}, NULL}};

/* Armitage and van der Meulen, BJS 2010: no weights, categories are counted. */
static const hd_comorbidity_condition rcs[] = {
    {"mi", "I21-I23 I252", {1}, NULL},
    {"chf", "I11 I13 I255 I42 I43 I50 I517", {1}, NULL},
    {"pvd", "I70-I73 I770 I771 K551 K558 K559 R02 Z958 Z959", {1}, NULL},
    {"cevd", "G45 G46 I60-I69", {1}, NULL},
    {"dementia", "A810 F00-F03 F051 G30 G31", {1}, NULL},
    {"cpd", "I26 I27 J40-J47 J60-J67 J684 J701 J703", {1}, NULL},
    {"rheumd", "M05 M06 M09 M120 M315 M32-M36", {1}, NULL},
    {"liver", "B18 I85 I864 I982 K70 K71 K721 K729 K76 R162 Z944", {1}, NULL},
    {"diab", "E10-E14", {1}, NULL},
    {"hp", "G114 G81-G83", {1}, NULL},
    {"rend", "I12 I13 N01 N03 N05 N07 N08 N171 N172 N18 N19 N25 Z49 Z940 Z992", {1}, NULL},
    {"canc", "C00-C26 C30-C34 C37-C41 C43 C45-C58 C60-C76 C80-C85 C88 C90-C97", {1}, "metacanc"},
    {"metacanc", "C77-C79", {1}, NULL},
    {"aids", "B20-B24", {1}, NULL}};

#define CONDITIONS(list) list, sizeof(list) / sizeof *(list)

static const hd_comorbidity_definition definitions[] = {
    {"charlson", {"charlson", "quan2011"}, CONDITIONS(charlson), false},
    {"elixhauser", {"van-walraven", "swiss"}, CONDITIONS(elixhauser), false},
    {"shmi", {"shmi", NULL}, CONDITIONS(shmi), true},
    {"rcs", {"rcs", NULL}, CONDITIONS(rcs), false}};

const hd_comorbidity_definition *hd_comorbidity_define(hd_comorbidity_map map)
{
    return &definitions[map];
}

typedef struct prefix {
    char code[5]; /* 3 or 4 characters */
    uint32_t flags;
} prefix;

struct hd_comorbidity {
    const hd_comorbidity_definition *definition;
    prefix *table; /* sorted by code, each once */
    size_t n, cap;
    uint32_t hidden_by[HD_COMORBIDITY_CONDITIONS];
};

static int by_code(const void *a, const void *b)
{
    return strcmp(((const prefix *)a)->code, ((const prefix *)b)->code);
}

static hd_code add_prefix(hd_comorbidity *c, char letter, int number, size_t digits, uint32_t flag,
                          hd_err *err)
{
    if (!HD_GROW(c->table, c->n, c->cap))
        return hd_fail_nomem(err);
    prefix *p = &c->table[c->n++];
    p->flags = flag;
    snprintf(p->code, sizeof p->code, "%c%0*d", letter, (int)digits, number % 1000);
    return HD_OK;
}

/* "I21 I60-I69": every code of a range has the letter and the number of digits of its first. */
static hd_code unfold(hd_comorbidity *c, const char *text, uint32_t flag, hd_err *err)
{
    while (*text) {
        char *end;
        char letter = *text;
        long first = strtol(text + 1, &end, 10), last = first;
        size_t digits = (size_t)(end - text) - 1;
        if (*end == '-')
            last = strtol(end + 2, &end, 10);
        for (long i = first; i <= last; i++)
            HD_TRY(add_prefix(c, letter, (int)i, digits, flag, err));
        text = end + (*end == ' ');
    }
    return HD_OK;
}

hd_code hd_comorbidity_new(hd_comorbidity_map map, hd_comorbidity **out, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_comorbidity *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    const hd_comorbidity_definition *d = c->definition = &definitions[map];
    for (unsigned i = 0; i < d->n; i++) {
        HD_GO(unfold(c, d->conditions[i].prefixes, UINT32_C(1) << i, err));
        for (unsigned j = 0; d->conditions[i].hidden_by && j < d->n; j++)
            if (strcmp(d->conditions[i].hidden_by, d->conditions[j].name) == 0)
                c->hidden_by[i] = UINT32_C(1) << j;
    }
    qsort(c->table, c->n, sizeof *c->table, by_code);
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (kept && strcmp(c->table[kept - 1].code, c->table[i].code) == 0)
            c->table[kept - 1].flags |= c->table[i].flags;
        else
            c->table[kept++] = c->table[i];
    }
    c->n = kept;
out:
    if (rc != HD_OK) {
        hd_comorbidity_free(c);
        return rc;
    }
    *out = c;
    return HD_OK;
}

void hd_comorbidity_free(hd_comorbidity *c)
{
    if (c)
        hd_free(c->table);
    hd_free(c);
}

uint32_t hd_comorbidity_flags(const hd_comorbidity *c, const char *code)
{
    prefix key = {0};
    size_t n = 0;
    uint32_t flags = 0;
    for (; *code && n < 4; code++)
        if (isalnum((unsigned char)*code))
            key.code[n++] = (char)toupper((unsigned char)*code);
    for (; n >= 3; key.code[--n] = '\0') {
        const prefix *p = bsearch(&key, c->table, c->n, sizeof *c->table, by_code);
        flags |= p ? p->flags : 0;
    }
    return flags;
}

uint32_t hd_comorbidity_hierarchy(const hd_comorbidity *c, uint32_t flags)
{
    uint32_t kept = flags;
    for (unsigned i = 0; i < c->definition->n; i++)
        if (flags & c->hidden_by[i])
            kept &= ~(UINT32_C(1) << i);
    return kept;
}

unsigned hd_comorbidity_count(uint32_t flags)
{
    return (unsigned)__builtin_popcount(flags);
}

int hd_comorbidity_score(const hd_comorbidity *c, uint32_t flags, unsigned weights)
{
    int score = 0;
    for (unsigned i = 0; i < c->definition->n; i++)
        if (flags >> i & 1)
            score += c->definition->conditions[i].weights[weights];
    return c->definition->never_negative && score < 0 ? 0 : score;
}
