#include "transports/gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uthash.h>

#include "core/mem.h"

/* IPv6 hands whole networks to one customer: the first 64 bits are what one peer cannot choose freely. IPv4 is counted
 * as its mapped form (RFC 4291, 2.5.5.2), which has the same first 64 bits for all and so keeps 128. */
struct address {
    uint8_t key[16];
    size_t count;
    UT_hash_handle hh;
};

struct im_gate {
    uint8_t hash_key[IM_HASH_KEY_BYTES];
    pthread_mutex_t lock; /* all below: connections come and go on every worker's thread */
    size_t count;
    struct address *addresses;
};

struct im_gate *im_gate_new(const uint8_t hash_key[IM_HASH_KEY_BYTES])
{
    struct im_gate *gate = im_zalloc(sizeof *gate);
    memcpy(gate->hash_key, hash_key, sizeof gate->hash_key);
    pthread_mutex_init(&gate->lock, NULL);
    return gate;
}

static void forget(struct im_gate *gate, struct address *address)
{
    HASH_DELETE(hh, gate->addresses, address);
    free(address);
}

void im_gate_free(struct im_gate **gate)
{
    if (!*gate)
        return;
    struct address *address, *next;
    HASH_ITER(hh, (*gate)->addresses, address, next)
    {
        forget(*gate, address);
    }
    pthread_mutex_destroy(&(*gate)->lock);
    free(*gate);
    *gate = NULL;
}

static void key_v4(struct in_addr in, uint8_t key[16], bool *loopback)
{
    memset(key, 0, 16);
    memset(key + 10, 0xff, 2);
    memcpy(key + 12, &in, 4);
    *loopback = key[12] == 127;
}

static void key_v6(const struct in6_addr *in, uint8_t key[16], bool *loopback)
{
    if (IN6_IS_ADDR_V4MAPPED(in)) {
        struct in_addr v4;
        memcpy(&v4, in->s6_addr + 12, 4);
        key_v4(v4, key, loopback);
        return;
    }
    memcpy(key, in->s6_addr, 8);
    memset(key + 8, 0, 8);
    *loopback = IN6_IS_ADDR_LOOPBACK(in);
}

/* Is the address one that limits.per_address counts? */
static bool counted(const struct im_config *config, const struct sockaddr *sa, uint8_t key[16])
{
    bool loopback = false;
    if (sa->sa_family == AF_INET)
        key_v4(((const struct sockaddr_in *)(const void *)sa)->sin_addr, key, &loopback);
    else if (sa->sa_family == AF_INET6)
        key_v6(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, key, &loopback);
    else
        return false;
    return !loopback || config->count_loopback;
}

/* The configured cap, or what the system's descriptors leave after the reserve, which takes half of them at most. */
static size_t cap(const struct im_config *config)
{
    struct rlimit limit;
    size_t most = config->connections, reserve = config->descriptor_reserve;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return most;
    size_t half = limit.rlim_cur / 2, left = limit.rlim_cur - (reserve < half ? reserve : half);
    return most < left ? most : left;
}

static struct address *find(struct im_gate *gate, const uint8_t key[16])
{
    struct address *address;
    unsigned hash = im_hash(gate->hash_key, key, 16);
    HASH_FIND_BYHASHVALUE(hh, gate->addresses, key, 16, hash, address);
    if (!address) {
        address = im_zalloc(sizeof *address);
        memcpy(address->key, key, 16);
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, gate->addresses, address->key, 16, hash, address);
    }
    return address;
}

static enum im_reason enter(struct im_gate *gate, const struct im_config *config, const struct sockaddr *sa,
                            void **ticket)
{
    uint8_t key[16];
    *ticket = NULL;
    if (gate->count >= cap(config))
        return IM_FULL;
    if (counted(config, sa, key)) {
        struct address *address = find(gate, key);
        if (address->count >= config->per_address)
            return IM_FULL_ADDRESS;
        address->count++;
        *ticket = address;
    }
    gate->count++;
    return IM_OK;
}

enum im_reason im_gate_enter(struct im_gate *gate, const struct im_config *config, const struct sockaddr *sa,
                             void **ticket)
{
    pthread_mutex_lock(&gate->lock);
    enum im_reason reason = enter(gate, config, sa, ticket);
    pthread_mutex_unlock(&gate->lock);
    return reason;
}

void im_gate_leave(struct im_gate *gate, void *ticket)
{
    struct address *address = ticket;
    pthread_mutex_lock(&gate->lock);
    gate->count--;
    if (address && --address->count == 0)
        forget(gate, address);
    pthread_mutex_unlock(&gate->lock);
}

size_t im_gate_count(struct im_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    size_t count = gate->count;
    pthread_mutex_unlock(&gate->lock);
    return count;
}
