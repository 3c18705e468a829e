/* What the program calls. */
#include "symbols.h"

extern const struct symbol_entry __start_symbols[], __stop_symbols[];

int symbols_count(void)
{
    return (int)(__stop_symbols - __start_symbols);
}

const char *symbols_name(int i)
{
    return __start_symbols[i].name;
}

void symbols_print(int i)
{
    __start_symbols[i].run();
    printf("\n");
    fflush(stdout);
}
