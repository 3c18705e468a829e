/* exec_at COMMAND [ARG…]: execs the command with the present monotonic time (ns) in CAPSULE_START_NS. Static. */
#include "clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char text[32];
	if (argc < 2)
		return 2;
	snprintf(text, sizeof text, "%lld", now_ns());
	setenv("CAPSULE_START_NS", text, 1);
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
