/* fault.h - injected faults for tests; compiled to nothing unless built with -Dfaults=true.
 *
 * HDIS_FAULT="alloc:17" fails the 17th allocation; "write:5:ENOSPC" fails the 5th write with that
 * errno, "write:5+:ENOSPC" the 5th and all after it, as a full disk does; "step:3:kill" sends SIGKILL at the 3rd durable step (write, fsync, rename, unlink, commit).
 * HDIS_FAULT="count" prints at exit how many points of each kind were passed.
 */
#ifndef HD_BASE_FAULT_H
#define HD_BASE_FAULT_H

#include <stdbool.h>

typedef enum hd_fault_kind { HD_FAULT_ALLOC, HD_FAULT_WRITE, HD_FAULT_STEP } hd_fault_kind;

#ifdef HD_FAULTS
/* True when this point must fail; errno is set for WRITE and STEP. May not return (kill). */
bool hd_fault(hd_fault_kind kind);
#else
static inline bool hd_fault(hd_fault_kind kind)
{
    (void)kind;
    return false;
}
#endif

#endif
