/* The host's side of locales: the process's and the thread's. */
#include "capsuletest.h"

#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <wctype.h>

char *ct_setlocale(const char *name) { return setlocale(LC_ALL, name); }
const char *ct_codeset(void) { return nl_langinfo(CODESET); }
size_t ct_mb_cur_max(void) { return MB_CUR_MAX; }
void *ct_uselocale(void *to) { return uselocale(static_cast<locale_t>(to)); }
void *ct_newlocale(const char *name) { return newlocale(LC_ALL_MASK, name, nullptr); }
int ct_isalpha(int c) { return (isalpha)(c) != 0; }
int ct_iswalpha(wint_t c) { return iswalpha(c) != 0; }
int ct_format(char *out, size_t n, double v) { return snprintf(out, n, "%.2f %lc", v, static_cast<wint_t>(0xe4)); }
