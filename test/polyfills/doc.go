// Package polyfills shows that each polyfill of the capsule root does what glibc's own function does. It exists
// because a polyfill is only ever called on a runtime too old to have the function, where nothing could contradict it:
// here the same statements are put to the polyfill and, on every glibc that has the function, to glibc. The driver (C,
// in driver/) runs on this machine and in real file trees; nothing here is imported by production code.
package polyfills
