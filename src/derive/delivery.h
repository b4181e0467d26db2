/* delivery.h - which of a woman's delivery episodes stand for a delivery, and how the baby came.
 *
 * Works on decoded values only; doc/methods.md "Deliveries" gives the rules, and its numbering is
 * used below.
 */
#ifndef HD_DERIVE_DELIVERY_H
#define HD_DERIVE_DELIVERY_H

#include "base/value.h"

typedef struct hd_birth {
    uint64_t row;
    int32_t epistart, epiend;
    int32_t epiorder;         /* INT32_MAX when NULL */
    uint32_t tail;            /* known values of the maternity tail */
    int32_t antedur, postdur; /* INT32_MIN when NULL */
    uint32_t procedures;      /* known ones */
} hd_birth;

/* Rules 2 and 3: sort the episodes of one woman, and move those that stand for a delivery to the
 * front, in order of time. Returns how many there are. */
size_t hd_births_choose(hd_birth *births, size_t n, int32_t one_delivery_days,
                        int32_t next_delivery_days);

/* The order is that of the labels; NONE is NULL. */
typedef enum hd_delivery_method {
    HD_METHOD_NONE,
    HD_METHOD_ELECTIVE,
    HD_METHOD_EMERGENCY,
    HD_METHOD_BREECH,
    HD_METHOD_FORCEPS,
    HD_METHOD_VENTOUSE,
    HD_METHOD_SPONTANEOUS,
    HD_METHOD_OTHER
} hd_delivery_method;
extern const char *const hd_delivery_method_labels[]; /* ends with NULL; NONE has the label "" */

/* What one value of a field says: OPCS code, DELMETH_D, DELMETH_n. */
typedef enum hd_method_source { HD_METHOD_OPCS, HD_METHOD_D, HD_METHOD_N } hd_method_source;
hd_delivery_method hd_method_of(hd_method_source source, const hd_value *value);

/* Rule 5: what the procedures, DELMETH_D and the DELMETH_n say, in order of position. */
hd_delivery_method hd_method_decide(const uint8_t *procedures, size_t n_procedures,
                                    hd_delivery_method derived, const uint8_t *babies,
                                    size_t n_babies);

#endif
