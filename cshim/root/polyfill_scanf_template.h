/* scanf's formats, piece by piece, for char or wchar_t: included twice by polyfill_scanf.c, which says what CHAR, END,
 * NAME(x), IS_SPACE, READ, UNREAD, SCAN_TEXT and SCAN_STREAM are. */

struct NAME(input) {
    const CHAR *text; /* with stream NULL */
    FILE *stream;
    long count; /* characters read, for %n */
};

/* -1: the end. */
static long NAME(next)(struct NAME(input) *in)
{
    if (!in->stream && !*in->text)
        return -1;
    long c = in->stream ? (long)READ(in->stream) : (long)(UNSIGNED_CHAR)*in->text++;
    if (in->stream && c == (long)END)
        return -1;
    in->count++;
    return c;
}

static void NAME(back)(struct NAME(input) *in, long c)
{
    if (c < 0)
        return;
    in->count--;
    if (in->stream)
        UNREAD(c, in->stream);
    else
        in->text--;
}

static unsigned NAME(decimal)(const CHAR **at)
{
    unsigned n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        n = n < INT_MAX / 10 ? n * 10 + (unsigned)(**at - '0') : INT_MAX;
    return n;
}

/* Bytes of the integer that a length modifier means; 0: there is no such (%w7d). *at moves over the modifier. */
static unsigned NAME(modifier)(const CHAR **at, bool *c23)
{
    CHAR first = *(*at)++;
    bool twice = (first == 'h' || first == 'l') && **at == first;
    *at += twice;
    switch (first) {
    case 'h': return twice ? sizeof(char) : sizeof(short);
    case 'l': return twice ? sizeof(long long) : sizeof(long);
    case 'L':
    case 'q': return sizeof(long long);
    case 'j': return sizeof(intmax_t);
    case 'z': return sizeof(size_t);
    case 't': return sizeof(ptrdiff_t);
    case 'm': *at += **at == 'l'; return sizeof(int);
    case 'w': {
        bool fast = **at == 'f';
        *at += fast;
        unsigned bits = NAME(decimal)(at);
        *c23 = true;
        if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
            return 0;
        return fast && bits > 8 && bits < 64 ? sizeof(int_fast32_t) : bits / 8;
    }
    }
    --*at;
    return sizeof(int);
}

/* Reads the directive at format: a run of text without %, or a conversion. */
static struct directive NAME(parse)(const CHAR *format)
{
    struct directive d = {.size = sizeof(int)};
    const CHAR *at = format;
    if (*at != '%') {
        while (*at && *at != '%')
            at++;
        d.length = (size_t)(at - format);
        return d;
    }
    at++;
    d.width = NAME(decimal)(&at);
    d.positional = *at == '$';
    bool locale_digits = false;
    for (; !d.width && (*at == '*' || *at == '\'' || *at == 'I'); at++) {
        d.suppressed |= *at == '*';
        locale_digits |= *at != '*';
    }
    if (!d.width)
        d.width = NAME(decimal)(&at);
    bool c23 = false;
    if (*at)
        d.size = NAME(modifier)(&at, &c23);
    d.conversion = (unsigned)*at;
    if (*at == '[') {
        at += at[1] == '^' ? 2 : 1;
        at += *at == ']';
        while (*at && *at != ']')
            at++;
    }
    d.length = (size_t)(at - format) + (*at != 0);
    bool integer = d.conversion == 'd' || d.conversion == 'u' || d.conversion == 'o' || d.conversion == 'x' ||
                   d.conversion == 'X' || d.conversion == 'n';
    d.ours = !locale_digits && (d.conversion == 'i' || d.conversion == 'b' || (c23 && integer));
    return d;
}

static bool NAME(needs_us)(const CHAR *format)
{
    bool ours = false;
    while (*format) {
        struct directive d = NAME(parse)(format);
        if (d.positional)
            return false;
        ours |= d.ours;
        format += d.length;
    }
    return ours;
}

static enum outcome NAME(number)(struct NAME(input) *in, const struct directive *d, void *to)
{
    struct number n = {.base = base_of(d->conversion)};
    unsigned left = d->width ? d->width : UINT_MAX;
    long c;
    do
        c = NAME(next)(in);
    while (c >= 0 && IS_SPACE((UNSIGNED_CHAR)c));
    if (c < 0)
        return INPUT_FAILURE;
    if (c == '-' || c == '+') {
        n.negative = c == '-';
        left--;
        c = NAME(next)(in);
    }
    if (left && c == '0') {
        n.digits = true; /* a prefix without digits is a 0, as in every release up to 2.41 */
        left--;
        c = NAME(next)(in);
        unsigned prefixed = left ? base_with_prefix(n.base, c) : 0;
        if (prefixed) {
            left--;
            c = NAME(next)(in);
        }
        n.base = prefixed ? prefixed : n.base ? n.base : 8;
    }
    if (!n.base)
        n.base = 10;
    for (; c >= 0 && left && add_digit(&n, c); left--)
        c = NAME(next)(in);
    NAME(back)(in, c);
    if (!n.digits)
        return MATCHING_FAILURE;
    if (to)
        store(&n, d, to);
    return MATCHED;
}

/* The runtime carries out one directive; that a %n behind it is reached tells that it matched. */
static enum outcome NAME(delegate)(struct NAME(input) *in, const CHAR *directive, size_t length, void *to)
{
    CHAR local[64], *format = local;
    if (length + 3 > sizeof local / sizeof *local)
        format = base_malloc((length + 3) * sizeof *format);
    if (!format)
        return INPUT_FAILURE;
    memcpy(format, directive, length * sizeof *format);
    format[length] = '%', format[length + 1] = 'n', format[length + 2] = 0;
    int count = -1, result;
    void *first = to ? to : &count; /* one argument too many does no harm */
    if (in->stream)
        result = SCAN_STREAM(in->stream, format, first, &count);
    else
        result = SCAN_TEXT(in->text, format, first, &count);
    if (format != local)
        base_free(format);
    if (count < 0)
        return result == EOF ? INPUT_FAILURE : MATCHING_FAILURE;
    in->count += count;
    if (!in->stream)
        in->text += count;
    return MATCHED;
}

static int NAME(scan)(struct NAME(input) in, const CHAR *format, va_list arguments)
{
    int assigned = 0;
    while (*format) {
        struct directive d = NAME(parse)(format);
        bool assigns = d.conversion && d.conversion != '%' && !d.suppressed;
        void *to = assigns ? va_arg(arguments, void *) : NULL;
        if (!d.size)
            return set_errno(EINVAL), assigned;
        enum outcome outcome = MATCHED;
        if (d.conversion == 'n') {
            if (to)
                store(&(struct number){.value = (unsigned long long)in.count}, &d, to);
        } else if (d.ours) {
            outcome = NAME(number)(&in, &d, to);
        } else {
            outcome = NAME(delegate)(&in, format, d.length, to);
        }
        if (outcome == INPUT_FAILURE && !assigned)
            return EOF;
        if (outcome != MATCHED)
            return assigned;
        assigned += assigns && d.conversion != 'n';
        format += d.length;
    }
    return assigned;
}
