// Package pattern has regular expressions that are compiled when they are first used. It exists because each launch is two
// starts of an executable with many of them, of which it uses none. It never takes an expression from outside of the code.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy returns what compiles text (RE2's syntax) in its first call, and panics there if it is wrong.
func Lazy(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
