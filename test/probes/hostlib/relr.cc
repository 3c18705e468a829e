// A library whose relative relocations are packed (DT_RELR), which glibc before 2.36 does not know, and whose thread-local
// variables are reached through TLS descriptors. Linked with -z pack-relative-relocs, and with -z mark-plt -z now, whose
// relocations that glibc gets wrong.
#include <stdexcept>
#include <string>
#include <thread>

namespace {

int target[64];
int *row[200] = {&target[1], &target[2], &target[3]};
const char *const names[] = {"first", "second", "third"};
struct {
	long gap;
	int *pointer;
} gaps[100];

struct base {
	virtual ~base() = default;
	virtual int number() const = 0;
};
struct derived : base {
	int number() const override { return 42; }
};
struct thrower : base {
	int number() const override { throw std::runtime_error("from a rewritten library"); }
};

thread_local int per_thread = 7;
thread_local std::string text = "seven";
int initialised = 0;

struct constructor {
	constructor() { initialised = 1; }
} run_me;

// volatile: the pointers are to be read, not known
const base *volatile object;

} // namespace

// What is wrong, as a bit each: 0 for nothing.
extern "C" int ct_relr(void)
{
	int wrong = 0;
	int *volatile *rows = row;
	if (rows[0] != target + 1 || rows[1] != target + 2 || rows[2] != target + 3 || rows[3])
		wrong |= 1;
	const char *const volatile *strings = names;
	if (std::string(strings[0]) + strings[1] + strings[2] != "firstsecondthird" || gaps[1].pointer)
		wrong |= 2;
	derived d;
	object = &d;
	if (object->number() != 42)
		wrong |= 4;
	thrower t;
	object = &t;
	try {
		object->number();
		wrong |= 8;
	} catch (const std::exception &e) {
		if (std::string(e.what()) != "from a rewritten library")
			wrong |= 8;
	}
	per_thread = 8;
	text += "teen";
	std::thread([&] {
		if (per_thread != 7 || text != "seven")
			wrong |= 16;
	}).join();
	if (per_thread != 8 || text != "seventeen")
		wrong |= 16;
	if (!initialised)
		wrong |= 32;
	return wrong;
}
