/* math_core_template.h for _Float128. */
#include "libm.h"

#if LIBM_FLOAT128
#define W _Float128
#define SUFFIX f128
#define CONSTANT F128
#include "math_core_template.h"
#endif
