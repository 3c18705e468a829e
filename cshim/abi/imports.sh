#!/bin/sh
# imports.sh LIST SONAME OUTPUT: build the link-time stand-in for SONAME from the lines of LIST that name it.
set -eu
list=$1 soname=$2 output=$3
work=$output.work
mkdir -p "$work"
awk -v so="$soname" '$1 == so { print "void " $3 "(void) {}" }' "$list" >"$work/functions.c"
awk -v so="$soname" '$1 == so { names[$2] = names[$2] " " $3 ";" } END { for (v in names) print v " {" names[v] " };" }' \
    "$list" >"$work/versions.map"
# shellcheck disable=SC2086
${CC:-cc} ${CFLAGS:-} -w -fno-builtin -shared -nostdlib -fPIC -Wl,-soname,"$soname" \
    -Wl,--version-script,"$work/versions.map" -o "$output" "$work/functions.c"
rm -rf "$work"
