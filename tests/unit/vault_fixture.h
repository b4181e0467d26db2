/* vault_fixture.h - a vault in a temporary folder, and a table of rows that are known by formula,
 * so that a test can say for each row what must come back. */
#ifndef HD_TESTS_VAULT_FIXTURE_H
#define HD_TESTS_VAULT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "vault/vault.h"

typedef struct fixture {
    char root[64], folder[128], key_file[128];
} fixture;

#define OK(call)                                                                                   \
    do {                                                                                           \
        hd_code ok_code = (call);                                                                  \
        if (ok_code != HD_OK)                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static inline void fixture_make(fixture *f)
{
    /* In memory where there is such a place: many syncs, none of which a test needs. */
    snprintf(f->root, sizeof f->root, "%s/hdis-test-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(f->root))
        abort();
    snprintf(f->folder, sizeof f->folder, "%s/vault", f->root);
    snprintf(f->key_file, sizeof f->key_file, "%s/keys/vault.key", f->root);
}

/* Publish one table and close the vault; takes the builder and the vault. */
static inline void fixture_publish(hd_vault *v, hd_builder *b)
{
    hd_err err;
    hd_publish *p;
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    hd_builder_free(b);
    OK(hd_publish_commit(p, "test", &err));
    hd_publish_free(p);
    hd_vault_close(v);
}

static inline void fixture_remove(fixture *f)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", f->root);
    if (system(command) != 0)
        abort();
}

#endif
