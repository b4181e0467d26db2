/* policy.c - a policy as other folders see it. */
#include "disclosure/release.h"

#include "base/alloc.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"

hd_code hd_policy_open(hd_policy **out, const char *catalogue_folder, const char *name, hd_err *err)
{
    *out = NULL;
    hd_policy *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    hd_code rc = hd_policy_file_read(&p->file, catalogue_folder, name, err);
    if (rc == HD_OK)
        rc = hd_rule_check(p->file, err);
    if (rc != HD_OK) {
        hd_policy_free(p);
        return rc;
    }
    *out = p;
    return HD_OK;
}

void hd_policy_free(hd_policy *p)
{
    if (!p)
        return;
    hd_policy_file_free(p->file);
    hd_free(p);
}

const char *hd_policy_name(const hd_policy *p)
{
    return p->file->name;
}

const char *hd_policy_version(const hd_policy *p)
{
    return p->file->version;
}

bool hd_policy_shows_true_counts(const hd_policy *p)
{
    return p->file->shows_true_counts;
}
