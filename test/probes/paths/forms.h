/* The forms of a path to one file that a rule maps, and paths that look like it and are not. */
#define DIRECTORY "/usr/share/drirc.d"
#define FILE_NAME "capsule-test.conf"

static const char *const file_forms[] = {
	DIRECTORY "/" FILE_NAME, "//usr///share/.//drirc.d/./" FILE_NAME,
	"/usr/lib/../share/drirc.d/" FILE_NAME, "/lib/../share/drirc.d/" FILE_NAME,
	"/bin/../../usr/share/drirc.d/../drirc.d/" FILE_NAME, "/../usr/share/drirc.d/" FILE_NAME,
	"/usr/share/vulkan/../drirc.d/" FILE_NAME, DIRECTORY "/" FILE_NAME "/",
	DIRECTORY "/nonexistent", DIRECTORY "/", DIRECTORY, DIRECTORY "/.", "/etc/drirc",
	DIRECTORY "x/" FILE_NAME, "", "/usr/local/lib/libcapsuletest-paths.so",
	"/dev/null",
	/* no rule begins as the first, the first two, the first three names */
	"/dev/../usr/share/drirc.d/" FILE_NAME, "/usr/bin/../share/drirc.d/" FILE_NAME,
	"/usr/lib/locale/../../share/drirc.d/" FILE_NAME,
	"/usr/share/drirc.d/../../bin/../share/drirc.d/" FILE_NAME,
	/* dots that are part of a name, one that the runtime alone has */
	DIRECTORY "/..data", DIRECTORY "/...", DIRECTORY "/.data/" FILE_NAME,
	"/usr/lib/.data/../../share/drirc.d/" FILE_NAME,
};
