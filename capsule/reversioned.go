package capsule

// otherABI lists the functions that glibc gave a new version because their arguments or results changed. For these the
// runtime's function of an older version is no answer: called through it, totalorder would take a pointer for a number.
// Every other new version of a function in glibc 2.28 to 2.43 differs in errno or in what is deprecated, and the older
// one will do (glibc's NEWS; the version is the one of the change).
var otherABI = func() map[symbolKey]bool {
	functions := map[symbolKey]bool{}
	types := []string{"", "f", "l", "f32", "f64", "f32x", "f64x", "f128"}
	for _, t := range types {
		// Pointers instead of values.
		for _, name := range []string{"totalorder", "totalordermag"} {
			functions[symbolKey{name + t, "GLIBC_2.31"}] = true
		}
		// A floating-point result instead of an integer.
		for _, name := range []string{"fromfp", "fromfpx", "ufromfp", "ufromfpx"} {
			functions[symbolKey{name + t, "GLIBC_2.43"}] = true
		}
	}
	// speed_t is the number of bits per second instead of an index.
	for _, name := range []string{"cfgetispeed", "cfgetospeed", "cfsetispeed", "cfsetospeed", "cfsetspeed"} {
		functions[symbolKey{name, "GLIBC_2.42"}] = true
	}
	return functions
}()
