/*
 * C++ inside the host's libraries, as LLVM and Mesa use it. Unwinding is the delicate part: libgcc_s finds a frame by
 * _dl_find_object or dl_iterate_phdr, and both see only what the loader tells this namespace.
 */
#include "selftest.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <future>
#include <iostream>
#include <locale>
#include <mutex>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {
std::atomic<int> alive;
std::atomic<int> tls_destroyed;

struct Counted {
	Counted() { alive++; }
	Counted(const Counted &) { alive++; }
	~Counted() { alive--; }
};

struct Goodbye {
	int set = 0;
	~Goodbye() { tls_destroyed += set; }
};
thread_local Goodbye goodbye;

[[gnu::noinline]] int thrower(int depth)
{
	Counted c;
	if (depth == 0)
		throw std::runtime_error("deep");
	return thrower(depth - 1) + 1;
}

const char *exception_caught()
{
	try {
		throw 42;
	} catch (int v) {
		WANT(v == 42);
		return nullptr;
	}
}

const char *exception_across_frames()
{
	try {
		thrower(20);
	} catch (const std::exception &e) {
		WANT(std::string(e.what()) == "deep");
		WANT(alive == 0);
		return nullptr;
	}
	return "nothing was thrown";
}

const char *exception_rethrown()
{
	try {
		try {
			thrower(3);
		} catch (...) {
			std::throw_with_nested(std::logic_error("outer"));
		}
	} catch (const std::logic_error &e) {
		try {
			std::rethrow_if_nested(e);
		} catch (const std::runtime_error &inner) {
			WANT(std::string(inner.what()) == "deep");
			return nullptr;
		}
	}
	return "the nested exception is lost";
}

/* thrown by libstdc++ and libc themselves, so that frames of several libraries are unwound */
const char *exception_from_libstdcxx()
{
	try {
		(void)std::vector<int>(3).at(5);
		return "at(5) of three";
	} catch (const std::out_of_range &) {
	}
	try {
		(void)std::stoi("not a number");
		return "stoi";
	} catch (const std::invalid_argument &) {
	}
	try {
		std::regex bad("(");
		return "regex";
	} catch (const std::regex_error &) {
	}
	try {
		std::locale none("no_SUCH.locale");
		return "locale";
	} catch (const std::runtime_error &) {
		return nullptr;
	}
}

const char *exception_from_thread()
{
	std::exception_ptr p;
	std::thread t([&] {
		try {
			thrower(5);
		} catch (...) {
			p = std::current_exception();
		}
	});
	t.join();
	try {
		std::rethrow_exception(p);
	} catch (const std::runtime_error &) {
		WANT(alive == 0);
		return nullptr;
	}
	return "nothing was thrown";
}

const char *exception_through_future()
{
	auto f = std::async(std::launch::async, [] { return thrower(4); });
	try {
		f.get();
	} catch (const std::runtime_error &) {
		return nullptr;
	}
	return "nothing was thrown";
}

const char *thread_local_destructor()
{
	int before = tls_destroyed;
	std::thread([] { goodbye.set = 1; }).join();
	std::thread([] { goodbye.set = 1; }).join();
	WANT(tls_destroyed == before + 2);
	return nullptr;
}

const char *threads_and_conditions()
{
	std::mutex m;
	std::condition_variable c;
	int turn = 0;
	std::vector<std::thread> all;
	for (int i = 0; i < 4; i++)
		all.emplace_back([&, i] {
			std::unique_lock lock(m);
			c.wait(lock, [&] { return turn == i; });
			turn++;
			c.notify_all();
		});
	for (auto &t : all)
		t.join();
	WANT(turn == 4);
	std::unique_lock lock(m);
	WANT(c.wait_for(lock, std::chrono::milliseconds(5)) == std::cv_status::timeout);
	return nullptr;
}

const char *call_once_and_async()
{
	std::once_flag once;
	int n = 0;
	auto f = std::async(std::launch::async, [&] { std::call_once(once, [&] { n++; }); });
	f.wait();
	std::call_once(once, [&] { n++; });
	WANT(n == 1);
	return nullptr;
}

const char *iostreams()
{
	std::ostringstream out;
	out << std::hex << 255 << ' ' << 1.5 << ' ' << std::boolalpha << true;
	WANT(out.str() == "ff 1.5 true");
	std::istringstream in("17 x");
	int v = 0;
	std::string s;
	in >> v >> s;
	WANT(v == 17 && s == "x");
	std::ifstream self("/proc/self/comm");
	WANT(std::getline(self, s) && !s.empty());
	WANT(std::cout.good() && std::cerr.good());
	return nullptr;
}

const char *locales()
{
	std::locale utf("C.UTF-8");
	auto &type = std::use_facet<std::ctype<wchar_t>>(utf);
	WANT(type.is(std::ctype_base::alpha, L'\u00e4'));
	std::ostringstream out;
	out.imbue(utf);
	out << 1234.5;
	WANT(out.str() == "1234.5");
	return nullptr;
}

const char *containers()
{
	std::unordered_map<std::string, std::vector<int>> m;
	for (int i = 0; i < 10000; i++)
		m[std::to_string(i % 97)].push_back(i);
	WANT(m.size() == 97 && m["0"].size() == 104);
	return nullptr;
}
} // namespace

const Selftest cxx_tests[] = {
	{"host-exception", exception_caught},
	{"host-exception-frames", exception_across_frames},
	{"host-exception-rethrow", exception_rethrown},
	{"host-exception-libstdc++", exception_from_libstdcxx},
	{"host-exception-thread", exception_from_thread},
	{"host-exception-future", exception_through_future},
	{"host-thread_local-destructor", thread_local_destructor},
	{"host-std-thread", threads_and_conditions},
	{"host-std-async", call_once_and_async},
	{"host-iostreams", iostreams},
	{"host-std-locale", locales},
	{"host-containers", containers},
	{nullptr, nullptr},
};
