// Package hostile compiles the parts of libcapsule that read files, the manifest beside it and libraries that the plan does
// not know, into a program of their own with AddressSanitizer and UBSan, and gives them damaged files by the thousand.
// It has tests only.
package hostile
