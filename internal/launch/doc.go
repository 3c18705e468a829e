// Package launch starts a program in namespaces of its own, below a root that package mount builds, and stands in for
// it towards whoever started us.
//
// It exists to make the launcher invisible: standard streams, inherited descriptors, controlling terminal, session,
// process group, umask, limits, priorities, signals, job control and exit status are as if the game had been started
// directly. It never decides what is mounted, never changes the game's environment, and prints nothing.
//
// Three processes' worth of work run in two processes:
//
//	launcher   Run: forks into new namespaces, then forwards signals, mirrors stops, and waits
//	init       begin: the same executable started again inside the namespaces; it mounts, then *becomes* the game by
//	           execve, so that no process of ours stands between the game and its parent
//
// With a PID namespace init does not become the game but starts it, and stays as process 1 (one.go).
//
// A second start of the executable is needed because unshare(CLONE_NEWUSER) is refused to a process with more than one
// thread, and a Go process has several before main runs.
//
// What a Go program cannot keep: of the signals ignored at the start it sees only SIGHUP, SIGINT, SIGTSTP, SIGTTIN and
// SIGTTOU, because its run-time system installs handlers for the others before main. SIGQUIT is taken to be ignored
// where SIGINT is, as shells without job control do for background commands (POSIX, Shell Command Language, 2.9.3.1).
// A descriptor 0, 1 or 2 that is closed at the start is /dev/null for the game (the same run-time system's doing), and
// SIGCHLD, SIGPROF and the signals of faults arrive unblocked.
package launch
