#include "cli/stat.h"
const hd_stat_method hd_stat_cusum[] = {{0}};
