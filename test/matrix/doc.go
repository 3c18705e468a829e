// Command matrix runs programs of every runtime on every host, for each graphics API, and writes the table of what
// came out to docs/matrix.md.
//
//	matrix [-o FILE] [-launcher FILE]
//
// It exists because "any host, any runtime" is a claim about combinations, of which the tests can afford only some. A
// cell is "ok" if the program ended as it should and named the host's Mesa; otherwise the table says why not. It
// exits with status 1 if a cell failed, judges nothing by pictures or by time, and changes nothing but its output.
package main
