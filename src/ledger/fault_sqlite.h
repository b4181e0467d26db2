/* fault_sqlite.h - lets injected faults (base/fault.h) reach into SQLite: its writes, syncs,
 * deletes and allocations count like ours. Does nothing unless built with -Dfaults=true. */
#ifndef HD_LEDGER_FAULT_SQLITE_H
#define HD_LEDGER_FAULT_SQLITE_H

#ifdef HD_FAULTS
void hd_fault_sqlite(void); /* once, before the first connection; may be called again */
#else
static inline void hd_fault_sqlite(void)
{
}
#endif

#endif
