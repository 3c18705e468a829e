package page

import "math/bits"

// relation says which of n things need which, as a matrix of bits: a thousand libraries are 125 KB.
type relation struct {
	n    int
	rows [][]uint64
}

func newRelation(n int) *relation {
	r := &relation{n: n, rows: make([][]uint64, n)}
	for i := range r.rows {
		r.rows[i] = make([]uint64, (n+63)/64)
	}
	return r
}

func (r *relation) add(a, b int)      { r.rows[a][b/64] |= 1 << (b % 64) }
func (r *relation) has(a, b int) bool { return r.rows[a][b/64]>>(b%64)&1 == 1 }

// close adds what follows: a needs b and b needs c, so a needs c (Warshall's algorithm).
func (r *relation) close() {
	for k := range r.n {
		for a := range r.n {
			if r.has(a, k) {
				for w, word := range r.rows[k] {
					r.rows[a][w] |= word
				}
			}
		}
	}
}

// reduced returns, of a closed relation between the given things, the pairs that no others imply. Things that need each
// other, which ELF allows, imply nothing about each other.
func (r *relation) reduced(among []int) [][2]int {
	mask := make([]uint64, (r.n+63)/64)
	for _, i := range among {
		mask[i/64] |= 1 << (i % 64)
	}
	strict := make([][]uint64, r.n) // what a thing needs that does not need it
	for _, a := range among {
		strict[a] = make([]uint64, len(mask))
		each(r.rows[a], mask, func(b int) {
			if !r.has(b, a) {
				strict[a][b/64] |= 1 << (b % 64)
			}
		})
	}
	var out [][2]int
	for _, a := range among {
		implied := make([]uint64, len(mask))
		each(strict[a], mask, func(c int) {
			for w, word := range strict[c] {
				implied[w] |= word
			}
		})
		each(r.rows[a], mask, func(b int) {
			if a != b && implied[b/64]>>(b%64)&1 == 0 {
				out = append(out, [2]int{a, b})
			}
		})
	}
	return out
}

// each calls for the bits that are set in both, in order.
func each(row, mask []uint64, call func(int)) {
	for w := range row {
		for word := row[w] & mask[w]; word != 0; word &= word - 1 {
			call(w*64 + bits.TrailingZeros64(word))
		}
	}
}
