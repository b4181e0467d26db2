/* schema.h - the ledger's schema as steps; step i takes user_version i to i + 1. */
#ifndef HD_LEDGER_SCHEMA_H
#define HD_LEDGER_SCHEMA_H

#include <stddef.h>

extern const char *const hd_schema_steps[];
extern const size_t hd_schema_n_steps;

#endif
