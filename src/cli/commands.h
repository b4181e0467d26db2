/* commands.h - the commands of commands.c, one to a file cmd_NAME.c. */
#ifndef HD_CLI_COMMANDS_H
#define HD_CLI_COMMANDS_H

#include "cli/command.h"

extern const hd_command hd_command_audit;
extern const hd_command hd_command_bench;
extern const hd_command hd_command_datasets;
extern const hd_command hd_command_fields;
extern const hd_command hd_command_check;
extern const hd_command hd_command_init;
extern const hd_command hd_command_indicator;
extern const hd_command hd_command_indicators;
extern const hd_command hd_command_load;
extern const hd_command hd_command_organisations;
extern const hd_command hd_command_protect;
extern const hd_command hd_command_query;
extern const hd_command hd_command_release;
extern const hd_command hd_command_report;
extern const hd_command hd_command_synth;
extern const hd_command hd_command_vault;

#endif
