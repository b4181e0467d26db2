/* session.h - what a command that asks the vault needs, opened and closed together. */
#ifndef HD_CLI_SESSION_H
#define HD_CLI_SESSION_H

#include "cli/limit_option.h"
#include "cli/output.h"
#include "cli/vault_option.h"
#include "engine/question.h"

typedef struct hd_session {
    hd_vault *vault;
    hd_catalogue *catalogue;
    hd_policy *policy;
    hd_engine *engine;
} hd_session;

/* Returns HD_EXIT_OK, or prints one line and returns the exit status; close it in either case. */
int hd_session_open(hd_session *s, const hd_command *c, const hd_vault_option *where,
                    const hd_limit_option *limits, const hd_output_options *o);
void hd_session_close(hd_session *s);

#endif
