/* __isoc23_*scanf: twelve functions, one list of samples, each function fed from a text or from a file. */
#include "driver.h"

#include <stdarg.h>
#include <wchar.h>

struct results {
    long long a, b, c;
    char text[32];
};

/* The three arguments are integers of 8 bytes, filled with -1 beforehand; count is what the call returns. */
static const struct sample {
    const char *input, *format;
    int count;
    unsigned long long a, b, c;
} samples[] = {
#define UNSET 0xffffffffffffffffULL
#define LOW(x) (0xffffffff00000000ULL | (unsigned)(x)) /* an int stored into 8 bytes of ones */
    {"12 13", "%d %d", 2, LOW(12), LOW(13), UNSET},
    {"0b101 7", "%i %d", 2, LOW(5), LOW(7), UNSET},
    {"-0B11", "%i", 1, LOW(-3), UNSET, UNSET},
    {"0x1f 017 9", "%i%i%i", 3, LOW(0x1f), LOW(017), LOW(9)},
    {"0b101", "%lli", 1, 5, UNSET, UNSET},
    {"0b101", "%ji", 1, 5, UNSET, UNSET},
    {"0b100000001", "%hhi", 1, 0xffffffffffffff01ULL, UNSET, UNSET},
    {"0b101", "%hi", 1, 0xffffffffffff0005ULL, UNSET, UNSET},
    {"0b1011", "%4i%d", 2, LOW(2), LOW(11), UNSET},
    {"0b1011", "%2i", 1, LOW(0), UNSET, UNSET},
    {"0b1011", "%1i%*2c%d", 2, LOW(0), LOW(11), UNSET},
    {"0bz", "%i", 1, LOW(0), UNSET, UNSET},
    {"0b", "%i", 1, LOW(0), UNSET, UNSET},
    {"", "%i", -1, UNSET, UNSET, UNSET},
    {"   ", "%i", -1, UNSET, UNSET, UNSET},
    {"x", "%i", 0, UNSET, UNSET, UNSET},
    {"-", "%i", 0, UNSET, UNSET, UNSET},
    {"4 ", "%d%i", 1, LOW(4), UNSET, UNSET},
    {"k=0b11,l=2", "k=%i,l=%i%n", 2, LOW(3), LOW(2), LOW(10)},
    {"k=0b11,m=2", "k=%i,l=%i%n", 1, LOW(3), UNSET, UNSET},
    {"k=", "k=%i", -1, UNSET, UNSET, UNSET},
    {"0b11 5", "%*i %n%i", 1, LOW(5), LOW(5), UNSET},
    {"50%0b1", "%d%%%i", 2, LOW(50), LOW(1), UNSET},
    {"0b11abc0b1", "%i%*[abc]%i", 2, LOW(3), LOW(1), UNSET},
    {"0b11]a]0b1", "%i%*[]a]%i", 2, LOW(3), LOW(1), UNSET},
    {"0b11 xyz0b1", "%i%*[^0-9]%i", 2, LOW(3), LOW(1), UNSET},
    {"99999999999999999999 0b1", "%li%i", 2, 0x7fffffffffffffffULL, LOW(1), UNSET},
    {"-99999999999999999999 0b1", "%li%i", 2, 0x8000000000000000ULL, LOW(1), UNSET},
    {"0xg", "%i", 1, LOW(0), UNSET, UNSET},
    {"08", "%i%d", 2, LOW(0), LOW(8), UNSET},
    {"7 0", "%i%i", 2, LOW(7), LOW(0), UNSET},
    {"0b11 0b100 0b111", "%i%i%i", 3, LOW(3), LOW(4), LOW(7)},
#if 1
    {"101 0b11 2", "%b%b%b", 2, LOW(5), LOW(3), UNSET},
    {"513 70000 5", "%w8d%w16d%w64u", 3, 0xffffffffffffff01ULL, 0xffffffffffff1170ULL, 5},
    {"513 513 5", "%wf8d%wf16d%w32i", 3, 0xffffffffffffff01ULL, 513, LOW(5)},
    {"ff 17 5", "%w32x%w64o%n", 2, LOW(255), 15, LOW(5)},
    {"5", "%w7d", 0, UNSET, UNSET, UNSET},
#endif
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static int from_list(int (*scan)(const void *, const void *, va_list), const void *from, const void *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = scan(from, format, arguments);
    va_end(arguments);
    return result;
}

static int from_stdin_list(int (*scan)(const void *, va_list), const void *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = scan(format, arguments);
    va_end(arguments);
    return result;
}

enum source { TEXT, STREAM, STDIN };

/* Fresh, for a stream that was written to can no longer be read as wide. */
static FILE *file_of(const char *text)
{
    int ends[2];
    EQUAL(pipe(ends), 0);
    EQUAL(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return fdopen(ends[0], "r");
}

static void widen(wchar_t *to, const char *from)
{
    do
        *to++ = (unsigned char)*from;
    while (*from++);
}

static void judge(void *scan, enum source source, bool wide, bool list)
{
    for (int i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        wchar_t wide_input[100], wide_format[100];
        widen(wide_input, s->input);
        widen(wide_format, s->format);
        const void *from = wide ? (void *)wide_input : (void *)s->input;
        const void *format = wide ? (void *)wide_format : (void *)s->format;
        FILE *file = source == TEXT ? NULL : file_of(s->input), *previous = stdin;
        if (source == STREAM)
            from = file;
        if (source == STDIN)
            stdin = file;
        unsigned long long v[3] = {UNSET, UNSET, UNSET};
        int count;
        if (source == STDIN)
            count = list ? from_stdin_list(scan, format, &v[0], &v[1], &v[2])
                         : ((int (*)(const void *, ...))scan)(format, &v[0], &v[1], &v[2]);
        else
            count = list ? from_list(scan, from, format, &v[0], &v[1], &v[2])
                         : ((int (*)(const void *, const void *, ...))scan)(from, format, &v[0], &v[1], &v[2]);
        stdin = previous;
        if (file)
            fclose(file);
        char what[300];
        snprintf(what, sizeof what, "scanf(\"%s\", \"%s\") is %d: %llx %llx %llx", s->input, s->format, count, v[0],
                 v[1], v[2]);
        expect(count == s->count && v[0] == s->a && v[1] == s->b && v[2] == s->c, what, __FILE__, __LINE__);
    }
}

/* Directives that the runtime carries out between ours: text, allocation, floating point, a long literal. */
static void judge_mixed(void *implementation)
{
    int (*scan)(const char *, const char *, ...) = implementation;
    int a = 0, b = 0, end = 0;
    char word[16] = "", *allocated = NULL;
    float f = 0;
    EQUAL(scan("0b11 hello 0x10 1.5 world!", "%i %15s %i %f %ms%n", &a, word, &b, &f, &allocated, &end), 5);
    EQUAL(a, 3);
    EQUAL(b, 16);
    EQUAL(end, 26);
    EXPECT(f == 1.5f && !strcmp(word, "hello") && allocated && !strcmp(allocated, "world!"));
    free(allocated);
    char text[400];
    memset(text, 'x', sizeof text);
    memcpy(text + 300, "0b1", 4);
    char format[400];
    memset(format, 'x', sizeof format);
    memcpy(format + 300, "%i", 3);
    a = 0;
    EQUAL(scan(text, format, &a), 1);
    EQUAL(a, 1);
    EQUAL(scan("7 0b1", "%2$i %1$i", &a, &b), 2);
    EQUAL(b, 7);
}

/* What the stream holds after a conversion: the first character that did not belong to it. */
static void judge_rest(void *implementation)
{
    int (*scan)(FILE *, const char *, ...) = implementation;
    int a = 0;
    FILE *file = file_of("0b12 x");
    EQUAL(scan(file, "%i", &a), 1);
    EQUAL(a, 1);
    EQUAL(fgetc(file), '2');
    fclose(file);
}

#define JUDGES(name, source, wide)                                                                   \
    static void judge_##name(void *implementation) { judge(implementation, source, wide, false); }   \
    static void judge_v##name(void *implementation) { judge(implementation, source, wide, true); }
JUDGES(scanf, STDIN, false)
JUDGES(fscanf, STREAM, false)
JUDGES(sscanf, TEXT, false)
JUDGES(wscanf, STDIN, true)
JUDGES(fwscanf, STREAM, true)
JUDGES(swscanf, TEXT, true)

void check_scanf(void)
{
#define CHECK(name)                            \
    check("__isoc23_" #name, judge_##name);    \
    check("__isoc23_v" #name, judge_v##name);
    CHECK(scanf) CHECK(fscanf) CHECK(sscanf) CHECK(wscanf) CHECK(fwscanf) CHECK(swscanf)
    check("__isoc23_sscanf", judge_mixed);
    check("__isoc23_fscanf", judge_rest);
}
