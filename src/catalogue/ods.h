/* ods.h - the files of the Organisation Data Service to the organisations/ files of the catalogue.
 *
 * In: a folder with etr.csv, ets.csv, eccg.csv, epraccur.csv, and, when they are there, ect.csv,
 * ephp.csv, eauth.csv, succ.csv, as the service publishes them (no header, 27 columns; succ.csv 4 or
 * more). Out: providers, sites, commissioners, practices and, when given, places.
 */
#ifndef HD_CATALOGUE_ODS_H
#define HD_CATALOGUE_ODS_H

#include "base/err.h"

typedef struct hd_ods_files {
    const char *folder;
    const char *peers;  /* CSV code,peer_group; NULL: no peer groups */
    const char *places; /* CSV with the columns of places.csv; NULL: no places.csv is written */
} hd_ods_files;

typedef struct hd_ods_counts {
    size_t providers, sites, commissioners, practices, places, successions;
    size_t split; /* providers with several successors: the latest is taken */
} hd_ods_counts;

/* Write the files into `out`, which is made when it is missing. HD_NOTFOUND: one of the four needed
 * files is not there. HD_FORMAT names file and line. */
HD_MUST hd_code hd_ods_import(const hd_ods_files *in, const char *out, hd_ods_counts *counts,
                              hd_err *err);

#endif
