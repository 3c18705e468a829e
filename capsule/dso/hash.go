package dso

import (
	"encoding/binary"
	"sort"
)

// stringTable is a .dynstr under construction; equal strings share an offset.
type stringTable struct {
	bytes []byte
	at    map[string]uint32
}

func newStringTable() *stringTable {
	return &stringTable{bytes: []byte{0}, at: map[string]uint32{"": 0}}
}

func (t *stringTable) add(s string) uint32 {
	if at, ok := t.at[s]; ok {
		return at
	}
	at := uint32(len(t.bytes))
	t.at[s] = at
	t.bytes = append(append(t.bytes, s...), 0)
	return at
}

// dlNewHash is the hash of DT_GNU_HASH (glibc elf/dl-lookup.c, dl_new_hash).
func dlNewHash(s string) uint32 {
	h := uint32(5381)
	for i := 0; i < len(s); i++ {
		h = h*33 + uint32(s[i])
	}
	return h
}

// gnuHash is the hash table and, as it demands, the symbols (and their slots) ordered by bucket.
type gnuHash struct {
	symbols []symbol
	slots   []uint64
	table   []byte
}

// newGNUHash builds DT_GNU_HASH: nbuckets, symoffset, bloom words, bloom shift; bloom filter; buckets; chain.
func newGNUHash(symbols []symbol, slots []uint64, first int, w *words) *gnuHash {
	buckets := uint32(1)
	for buckets*4 < uint32(len(symbols)) {
		buckets *= 2
	}
	type hashed struct {
		h uint32
		i int
	}
	order := make([]hashed, len(symbols))
	for i := range symbols {
		order[i] = hashed{dlNewHash(symbols[i].name), i}
	}
	sort.SliceStable(order, func(a, b int) bool { return order[a].h%buckets < order[b].h%buckets })

	// Bloom filter: about one word for each four symbols keeps failing look-ups cheap; the shift is ld's.
	const shift = 6
	bits := uint32(w.size() * 8)
	bloomWords := uint32(1)
	for bloomWords*bits < uint32(len(symbols))*12 {
		bloomWords *= 2
	}
	bloom := make([]uint64, bloomWords)
	bucket := make([]uint32, buckets)
	chain := make([]uint32, len(symbols))
	g := &gnuHash{symbols: make([]symbol, len(symbols))}
	if slots != nil {
		g.slots = make([]uint64, len(symbols))
	}
	for n, e := range order {
		g.symbols[n] = symbols[e.i]
		if slots != nil {
			g.slots[n] = slots[e.i]
		}
		bloom[(e.h/bits)%bloomWords] |= 1<<(e.h%bits) | 1<<((e.h>>shift)%bits)
		b := e.h % buckets
		if bucket[b] == 0 {
			bucket[b] = uint32(first + n)
		}
		chain[n] = e.h &^ 1
		if n+1 == len(order) || order[n+1].h%buckets != b {
			chain[n] |= 1 // the bucket ends here
		}
	}
	le := binary.LittleEndian
	t := le.AppendUint32(nil, buckets)
	t = le.AppendUint32(t, uint32(first))
	t = le.AppendUint32(t, bloomWords)
	t = le.AppendUint32(t, shift)
	for _, b := range bloom {
		t = w.append(t, b)
	}
	for _, b := range bucket {
		t = le.AppendUint32(t, b)
	}
	for _, c := range chain {
		t = le.AppendUint32(t, c)
	}
	g.table = t
	return g
}

// sysvHash is the hash in version definitions (System V gABI, chapter 5).
func sysvHash(s string) uint32 {
	var h uint32
	for i := 0; i < len(s); i++ {
		h = h<<4 + uint32(s[i])
		g := h & 0xf0000000
		h ^= g >> 24
		h &^= g
	}
	return h
}
