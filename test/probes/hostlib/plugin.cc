/* A library that libcapsuletest opens by name, as a GL front end opens its vendor's driver. */
#include <memory>
#include <stdexcept>
#include <string>

namespace {
int counted(const std::string &s)
{
	if (s.empty())
		throw std::runtime_error("empty");
	return static_cast<int>(s.size());
}
} // namespace

extern "C" int ctp_twice(int value)
{
	try {
		return counted("");
	} catch (const std::runtime_error &) {
		auto both = std::make_unique<int>(2 * value);
		return *both;
	}
}
