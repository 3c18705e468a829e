/* libc: what <pthread.h>'s clean-up macros call in C without -fexceptions, and the resolver without a name server. */
#include <arpa/nameser.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <sys/rseq.h>
#include <unistd.h>

#include "symbols.h"

static void cleaned(void *value)
{
    printf(" cleaned %ld", (long)value);
}

/* Cancelled while it waits: both routines run, on the way through two frames. */
static void inner(void)
{
    pthread_cleanup_push(cleaned, (void *)1);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
}

static void *cancelled(void *argument)
{
    pthread_cleanup_push(cleaned, (void *)2);
    inner();
    pthread_cleanup_pop(0);
    return argument;
}

static void *cancelled_deferred(void *argument)
{
    pthread_cleanup_push_defer_np(cleaned, (void *)3);
    inner();
    pthread_cleanup_pop_restore_np(0);
    return argument;
}

static void cancel(void *(*f)(void *))
{
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, f, NULL);
    usleep(20000);
    int error = pthread_cancel(thread);
    pthread_join(thread, &result);
    SHOW(error);
    SHOW(result == PTHREAD_CANCELED);
}

SYMBOL(__pthread_register_cancel)
{
    cancel(cancelled);
}
SYMBOL(__pthread_unwind_next)
{
    cancel(cancelled);
}
SYMBOL(__pthread_register_cancel_defer)
{
    cancel(cancelled_deferred);
}
SYMBOL(__pthread_unregister_cancel)
{
    pthread_cleanup_push(cleaned, (void *)4);
    pthread_cleanup_pop(1);
}
SYMBOL(__pthread_unregister_cancel_restore)
{
    pthread_cleanup_push_defer_np(cleaned, (void *)5);
    pthread_cleanup_pop_restore_np(1);
}

void __pthread_cleanup_routine(struct __pthread_cleanup_frame *);
SYMBOL(__pthread_cleanup_routine)
{
    struct __pthread_cleanup_frame frame = {.__cancel_routine = cleaned, .__cancel_arg = (void *)6, .__do_it = 1};
    __pthread_cleanup_routine(&frame);
    frame.__do_it = 0;
    __pthread_cleanup_routine(&frame);
}

void _pthread_cleanup_push(struct _pthread_cleanup_buffer *, void (*)(void *), void *);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *, int);
SYMBOL(_pthread_cleanup_push)
{
    struct _pthread_cleanup_buffer buffer;
    _pthread_cleanup_push(&buffer, cleaned, (void *)7);
    _pthread_cleanup_pop(&buffer, 1);
}
SYMBOL(_pthread_cleanup_pop)
{
    struct _pthread_cleanup_buffer buffer;
    _pthread_cleanup_push(&buffer, cleaned, (void *)8);
    _pthread_cleanup_pop(&buffer, 0);
}

/* Without a name server each of these fails at once. */
#define RESOLVED(symbol, ...)                          \
    SYMBOL(symbol)                                     \
    {                                                  \
        unsigned char out[512], question[512];         \
        struct __res_state state = {0};                \
        res_ninit(&state);                             \
        res_init();                                    \
        state.nscount = _res.nscount = 0;              \
        int length = res_nmkquery(&state, ns_o_query, "example.com", ns_c_in, ns_t_a, NULL, 0, NULL, question, 512); \
        RESULT(length);                                \
        RESULT(__VA_ARGS__);                           \
        (void)out;                                     \
    }
RESOLVED(res_query, res_query("example.com", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_search, res_search("example.com.", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_querydomain, res_querydomain("www", "example.com", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_send, res_send(question, length, out, 512))
RESOLVED(res_nquery, res_nquery(&state, "example.com", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_nsearch, res_nsearch(&state, "example.com.", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_nquerydomain, res_nquerydomain(&state, "www", "example.com", ns_c_in, ns_t_a, out, 512))
RESOLVED(res_nsend, res_nsend(&state, question, length, out, 512))

/* Whether the runtime registers an area is its own business; where it does, it has a place and a size. */
VALUE(__rseq_size, __rseq_size == 0 || __rseq_size >= 20)
VALUE(__rseq_offset, __rseq_size == 0 || __rseq_offset != 0)
VALUE(__rseq_flags, __rseq_flags)
