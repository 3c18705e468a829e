/* math_core_template.h for x87's long double. */
#include "libm.h"

#define W long double
#define SUFFIX l
#define CONSTANT L
#include "math_core_template.h"
