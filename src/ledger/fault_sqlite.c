/* fault_sqlite.c - see fault_sqlite.h. A VFS in front of the default one that asks hd_fault before
 * every durable step, and an allocator that is hd_malloc. */
#include "ledger/fault_sqlite.h"

#ifdef HD_FAULTS
#include "base/alloc.h"
#include "base/fault.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>

/* ---- allocator ------------------------------------------------------------------------------ */

static void *get_memory(int n)
{
    return hd_malloc((size_t)n);
}

static void *resize_memory(void *p, int n)
{
    return hd_realloc(p, (size_t)n);
}

static int memory_size(void *p)
{
    return p ? (int)malloc_usable_size(p) : 0;
}

static int round_up(int n)
{
    return (n + 7) & ~7;
}

static int start_memory(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void stop_memory(void *unused)
{
    (void)unused;
}

/* ---- files ---------------------------------------------------------------------------------- */

struct file { /* what SQLite holds; the real file stands behind it */
    sqlite3_file base;
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((struct file *)(void *)f + 1);
}

static int refused(void)
{
    return errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int close_file(sqlite3_file *f)
{
    return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}
static int read_file(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), p, n, at);
}
static int write_file(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (hd_fault(HD_FAULT_STEP) || hd_fault(HD_FAULT_WRITE))
        return refused();
    return real(f)->pMethods->xWrite(real(f), p, n, at);
}
static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
    if (hd_fault(HD_FAULT_STEP))
        return SQLITE_IOERR_TRUNCATE;
    return real(f)->pMethods->xTruncate(real(f), size);
}
static int sync_file(sqlite3_file *f, int flags)
{
    if (hd_fault(HD_FAULT_STEP))
        return SQLITE_IOERR_FSYNC;
    return real(f)->pMethods->xSync(real(f), flags);
}
static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}
static int lock_file(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}
static int unlock_file(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}
static int check_lock(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
static int control_file(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}
static int sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}
static int characteristics(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
static int map_shared(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
static int lock_shared(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
static void shared_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}
static int unmap_shared(sqlite3_file *f, int delete)
{
    return real(f)->pMethods->xShmUnmap(real(f), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = shared_barrier,
    .xShmUnmap = unmap_shared,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, real(f), flags, out_flags);
    f->pMethods = real(f)->pMethods ? &methods : NULL;
    return rc;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    if (hd_fault(HD_FAULT_STEP))
        return SQLITE_IOERR_DELETE;
    return real_vfs->xDelete(real_vfs, name, sync_folder);
}

static void install(void)
{
    static sqlite3_mem_methods memory = {get_memory, hd_free,      resize_memory, memory_size,
                                         round_up,   start_memory, stop_memory,   NULL};
    static sqlite3_vfs vfs;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        return;
    vfs = *real_vfs;
    vfs.zName = "hdis-fault";
    vfs.szOsFile += (int)sizeof(struct file);
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    sqlite3_vfs_register(&vfs, 1);
}

void hd_fault_sqlite(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
#else
typedef int hd_fault_sqlite_not_built;
#endif
