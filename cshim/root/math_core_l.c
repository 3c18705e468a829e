/* math_core_template.h for long double: x87's format, or binary128 on aarch64. */
#include "libm.h"

#define W long double
#define SUFFIX l
#define CONSTANT L
#include "math_core_template.h"
