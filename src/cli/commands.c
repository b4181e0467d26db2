/* commands.c - the table of commands; the order is the order of `hdis help`. */
#include "cli/commands.h"

extern const hd_command hd_command_stat;

const hd_command *const hd_commands[] = {
    &hd_command_init,
    &hd_command_synth,
    &hd_command_datasets,
    &hd_command_fields,
    &hd_command_organisations,
    &hd_command_check,
    &hd_command_load,
    &hd_command_query,
    &hd_command_indicators,
    &hd_command_indicator,
    &hd_command_release,
    &hd_command_report,
    &hd_command_protect,
    &hd_command_audit,
    &hd_command_vault,
    &hd_command_stat,
    &hd_command_bench,
    NULL,
};
