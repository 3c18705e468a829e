/* The list of all self-tests. */
#include "selftest.h"
#include "capsuletest.h"

#include <initializer_list>

static const Selftest *find(int i)
{
	for (const Selftest *list : {cxx_tests, newer_tests, dlopen_tests}) {
		for (; list->name; list++)
			if (i-- == 0)
				return list;
	}
	return nullptr;
}

const char *ct_selftest_name(int i)
{
	auto *t = find(i);
	return t ? t->name : nullptr;
}

const char *ct_selftest_run(int i) { return find(i)->run(); }
