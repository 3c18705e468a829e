/* A product of 256-bit integers: the compiler calls __mulbitint3, which libgcc_s has since GCC_14.0.0. */
int wide_product_ok(unsigned seed)
{
	volatile unsigned _BitInt(256) a = (unsigned _BitInt(256))seed << 130, b = (unsigned _BitInt(256))3 << 100;
	unsigned _BitInt(256) p = a * b;
	return (unsigned)(p >> 230) == 3 * seed;
}
