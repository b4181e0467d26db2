/* codes.h - code lists as text: "49-53 84 C00-C97". Codes and ranges stand between blanks; a code
 * stands for every value that starts with it, a range for every value whose beginning lies in it.
 */
#ifndef HD_DERIVE_CODES_H
#define HD_DERIVE_CODES_H

#include "base/value.h"

/* Is every item a code or a range of two codes of one length, lower first? "" is a good list. */
bool hd_codes_are_good(const char *list);
/* Does the value's text start with an item of the list? NULL never does. */
bool hd_codes_match(const char *list, const hd_value *value);
/* The value as text: out holds a number's digits, text is borrowed. NULL gives "". */
enum { HD_CODE_TEXT_MAX = 32 };
const char *hd_code_text(const hd_value *value, char out[HD_CODE_TEXT_MAX], size_t *len);

#endif
