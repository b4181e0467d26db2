/* explain.h - plans of questions; called by hd_release_ask. */
#ifndef HD_DISCLOSURE_EXPLAIN_H
#define HD_DISCLOSURE_EXPLAIN_H

#include "disclosure/release.h"
#include "engine/question.h"

/* The question after EXPLAIN, or NULL when the text does not begin with that word. */
const char *hd_explained(const char *sql);
HD_MUST hd_code hd_release_explain(hd_release **out, hd_engine *e, const hd_policy *p,
                                   const char *sql, hd_err *err);

#endif
