/* folder.h - the definitions in a folder, by name. */
#ifndef HD_CATALOGUE_FOLDER_H
#define HD_CATALOGUE_FOLDER_H

#include "base/err.h"

/* Names without .yaml, ascending; free with hd_folder_names_free. HD_IO: the folder is unreadable.
 */
HD_MUST hd_code hd_folder_names(const char *folder, char ***out, size_t *n, hd_err *err);
void hd_folder_names_free(char **names, size_t n);

#endif
