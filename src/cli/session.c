/* session.c - see session.h. */
#include "cli/session.h"

#include "base/io.h"

static bool is_name(const char *text)
{
    bool has_word = false;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < ' ' || *p == 127)
            return false;
        has_word = has_word || *p != ' ';
    }
    return has_word;
}

int hd_session_open(hd_session *s, const hd_command *c, const hd_vault_option *where,
                    const hd_limit_option *limits, const hd_output_options *o)
{
    hd_engine_limits engine_limits;
    hd_err err = {0};
    hd_code rc;
    *s = (hd_session){0};
    /* It is printed in lists of one line a release, and names whoever is limited by near_releases_at_most. */
    if (o->agreement && !is_name(o->agreement))
        return hd_usage_error(c, "the name of an agreement is text without control characters, and not empty");
    /* True counts enter the list of assets: the ledger's own lock is enough for that, so questions
     * never wait for a load. */
    int status = hd_limit_option_read(c, limits, &engine_limits);
    if (status != HD_EXIT_OK)
        return status;
    /* What is shown enters the ledger of releases for good: not for a file that cannot be written. */
    if (o->out)
        HD_GO(hd_io_try_file(o->out, &err));
    if (o->provenance)
        HD_GO(hd_io_try_file(o->provenance, &err));
    status = hd_vault_option_open(c, where, false, &s->vault);
    if (status != HD_EXIT_OK)
        return status;
    hd_vault_set_asker(s->vault, NULL, o->agreement);
    HD_GO(hd_catalogue_open(&s->catalogue, hd_catalogue_default_folder(), hd_vault_folder(s->vault),
                            &err));
    HD_GO(hd_policy_open(&s->policy, hd_catalogue_folder(s->catalogue), hd_output_policy(o), &err));
    HD_GO(hd_engine_open_limited(&s->engine, s->vault, s->catalogue, &engine_limits, &err));
out:
    return rc == HD_OK ? HD_EXIT_OK : hd_report(c, &err);
}

void hd_session_close(hd_session *s)
{
    hd_engine_close(s->engine);
    hd_policy_free(s->policy);
    hd_catalogue_close(s->catalogue);
    hd_vault_close(s->vault);
    *s = (hd_session){0};
}
