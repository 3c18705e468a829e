// Command bench measures what a capsule costs: `make bench`.
//
//	go run ./test/bench [-run REGEXP] [-n ROUNDS] [-json FILE] [-capsule-run FILE]
//
// It exists because each promise about speed is a comparison, and two numbers taken at different times on a shared machine
// compare nothing. So every figure has a reference (the same program run natively with the same Mesa; bwrap with the same
// mounts; a warm launch), both sides take turns in one run (A B A B …), and the comparison is made round by round: its
// median, with the interval in which the true median lies with 95 % probability. The sections are
//
//	first    exec to main() and to the first glGetString
//	calls    ns per cheap GL call
//	launch   capsule-run -- /bin/true against bwrap and unshare, as root and as an ordinary user
//	frames   frames per second
//	newpair  the first launch of a host and runtime against a warm one
//	memory   private memory of a process that holds a context
//
// The exit status is 0 whatever the figures are: a slow machine is no bug of a change under test. It is 1 if something
// could not be measured. Nothing here is imported by anything, and nothing is changed outside of a temporary directory
// and the cache of package trees.
package main
