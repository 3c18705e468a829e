/* Small functions of <stdlib.h>, <inttypes.h>, <search.h> and <arpa/inet.h>. */
#include <arpa/inet.h>
#include <search.h>

#include "polyfill.h"

/* 2.42, umaxabs 2.43: absolute values as unsigned, right for the most negative value too. */
#define ABSOLUTE(name, type)                      \
    CAPSULE_POLYFILL(unsigned type, name, (type x)) \
    {                                             \
        return x < 0 ? -(unsigned type)x : (unsigned type)x; \
    }

ABSOLUTE(uabs, int)
ABSOLUTE(ulabs, long)
ABSOLUTE(ullabs, long long)
_Static_assert(sizeof(intmax_t) == sizeof(long long), "intmax_t");
ABSOLUTE(uimaxabs, long long)
ABSOLUTE(umaxabs, long long)

/* 2.30: twalk with an argument for the action. The nodes are glibc's own (misc/tsearch.c): key, left, right, in this
 * order in every release. Since 2.26 the lowest bit of left is the node's colour. */
struct tree_node {
    const void *key;
    uintptr_t left, right;
};

typedef void (*tree_action)(const void *, VISIT, void *);

static const struct tree_node *child(uintptr_t link)
{
    return (const struct tree_node *)(link & ~(uintptr_t)1);
}

static void walk(const struct tree_node *node, tree_action action, void *argument)
{
    const struct tree_node *left = child(node->left), *right = child(node->right);
    if (!left && !right)
        return action(node, leaf, argument);
    action(node, preorder, argument);
    if (left)
        walk(left, action, argument);
    action(node, postorder, argument);
    if (right)
        walk(right, action, argument);
    action(node, endorder, argument);
}

CAPSULE_POLYFILL(void, twalk_r, (const void *root, tree_action action, void *argument))
{
    if (root && action)
        walk(root, action, argument);
}

/* 2.42: fortified address conversion; room is the size of the object that to points at. */
CAPSULE_IMPORT(const char *, inet_ntop, (int, const void *, char *, socklen_t));
CAPSULE_IMPORT(int, inet_pton, (int, const char *, void *));

CAPSULE_POLYFILL(const char *, __inet_ntop_chk,
                 (int family, const void *from, char *to, socklen_t size, size_t room))
{
    if (size > room)
        polyfill_chk_fail();
    return base_inet_ntop(family, from, to, size);
}

CAPSULE_POLYFILL(int, __inet_pton_chk, (int family, const char *from, void *to, size_t room))
{
    if ((family == AF_INET && room < sizeof(struct in_addr)) || (family == AF_INET6 && room < sizeof(struct in6_addr)))
        polyfill_chk_fail();
    return base_inet_pton(family, from, to);
}
