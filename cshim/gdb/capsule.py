"""gdb commands for a process with a capsule (capsule-run).

    (gdb) source capsule.py
    (gdb) capsule-libraries        # what is loaded in the capsule, and where
    (gdb) capsule-symbols          # tell gdb about all of it

With glibc 2.35 or later and gdb 13 or later gdb knows other namespaces by itself. With an older glibc it sees only the
base namespace: libcapsule.so publishes the capsule's first link map as capsule_debug_root, and from there this script
follows l_next, as ld.so's own list goes (struct link_map, <link.h>).
"""

import os

import gdb


def read_pointer(address):
    size = gdb.lookup_type("void").pointer().sizeof
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(memory.tobytes(), "little")


def read_string(address):
    if address == 0:
        return ""
    text = bytearray()
    while len(text) < 4096:
        byte = gdb.selected_inferior().read_memory(address + len(text), 1).tobytes()
        if byte == b"\0":
            break
        text += byte
    return text.decode(errors="replace")


def capsule_maps():
    """Yields (load bias, path) of each object in the capsule."""
    try:
        address = int(gdb.parse_and_eval("(unsigned long)&capsule_debug_root"))
    except gdb.error as e:
        raise gdb.GdbError("no capsule here: libcapsule.so is not loaded, or its symbols are not (%s)" % e)
    size = gdb.lookup_type("void").pointer().sizeof
    link_map = read_pointer(address)
    if link_map == 0:
        raise gdb.GdbError("the capsule is not up yet")
    seen = set()
    while link_map and link_map not in seen:  # a damaged list may lead in a circle
        seen.add(link_map)
        # struct link_map: l_addr, l_name, l_ld, l_next, l_prev
        yield read_pointer(link_map), read_string(read_pointer(link_map + size))
        link_map = read_pointer(link_map + 3 * size)


def visible(path):
    """The file as gdb can open it: below the process's own root."""
    pid = gdb.selected_inferior().pid
    inside = "/proc/%d/root%s" % (pid, path)
    return inside if pid and os.path.exists(inside) else path


class CapsuleLibraries(gdb.Command):
    """List the libraries in the capsule, with their load biases."""

    def __init__(self):
        super().__init__("capsule-libraries", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        for bias, path in capsule_maps():
            print("%#018x  %s" % (bias, path))


class CapsuleSymbols(gdb.Command):
    """Load the symbols of the libraries in the capsule."""

    def __init__(self):
        super().__init__("capsule-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        for bias, path in capsule_maps():
            # A proxy holds no code, and its symbols' values in the file mean another library.
            if "/proxy/" in path:
                continue
            try:
                gdb.execute("add-symbol-file %s -o %#x" % (visible(path), bias), to_string=True)
            except gdb.error as e:
                print("%s: %s" % (path, e))


CapsuleLibraries()
CapsuleSymbols()
