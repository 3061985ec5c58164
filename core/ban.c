#include "core/ban.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/address.h"
#include "core/mem.h"

static const char *const kinds[] = {[IM_BAN_USER] = "user", [IM_BAN_NET] = "net", [IM_BAN_MUTE] = "mute"};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const char *im_ban_kind_name(enum im_ban_kind kind)
{
    return kinds[kind];
}

/* Addresses. */

/* Bits of `ip` from `from` on; are they all 0? */
static bool rest_is_zero(const uint8_t ip[16], unsigned from)
{
    for (unsigned bit = from; bit < 128; bit++)
        if (ip[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

enum im_reason im_ban_net(struct im_str text, struct im_ban *ban, struct im_error *error)
{
    char host[64];
    bool four;
    const char *slash = memchr(text.p, '/', text.len);
    size_t len = slash ? (size_t)(slash - text.p) : text.len;
    uint64_t bits = 0;
    snprintf(host, sizeof host, "%.*s", (int)(len < sizeof host ? len : 0), text.p);
    if (!im_address_read(host, ban->ip, &four))
        return im_fail(error, IM_BAD_FIELD, "\"%.*s\" is not an IP address", (int)(len < 80 ? len : 80), text.p);
    unsigned most = four ? 32 : 128;
    if (slash && (!im_str_u64((struct im_str){slash + 1, text.len - len - 1}, &bits) || bits > most))
        return im_fail(error, IM_BAD_FIELD, "after the '/' there must be a number up to %u", most);
    ban->kind = IM_BAN_NET;
    ban->bits = 128 - most + (slash ? (unsigned)bits : most);
    if (!rest_is_zero(ban->ip, ban->bits))
        return im_fail(error, IM_BAD_FIELD, "%.*s: beyond the first %u bits an address of a network is 0",
                       (int)(text.len < 80 ? text.len : 80), text.p, (unsigned)bits);
    return IM_OK;
}

bool im_ban_hits(const struct im_ban *ban, const uint8_t ip[16])
{
    unsigned whole = ban->bits / 8, rest = ban->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(ban->ip, ip, whole) == 0 && (rest == 0 || ((ban->ip[whole] ^ ip[whole]) & mask) == 0);
}

/* Records. */

static void write_net(const struct im_ban *ban, char *out, size_t size)
{
    char host[IM_ADDRESS_TEXT];
    bool four = ban->bits >= 96 && im_address_is_four(ban->ip);
    im_address_write(ban->ip, host);
    if (ban->bits == 128)
        snprintf(out, size, "net/%s", host);
    else
        snprintf(out, size, "net/%s/%u", host, four ? ban->bits - 96 : ban->bits);
}

struct im_str im_ban_key(const struct im_ban *ban, char out[IM_BAN_KEY_MAX])
{
    struct im_str user = im_name_key(&ban->user);
    if (ban->kind == IM_BAN_NET)
        write_net(ban, out, IM_BAN_KEY_MAX);
    else
        snprintf(out, IM_BAN_KEY_MAX, "%s/%.*s", kinds[ban->kind], (int)user.len, user.p);
    return im_str(out);
}

static bool find_kind(struct im_str key, enum im_ban_kind *kind, struct im_str *rest)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len = strlen(kinds[i]);
        if (key.len > len && key.p[len] == '/' && memcmp(key.p, kinds[i], len) == 0) {
            *kind = (enum im_ban_kind)i;
            *rest = (struct im_str){key.p + len + 1, key.len - len - 1};
            return true;
        }
    }
    return false;
}

bool im_ban_read(struct im_str key, struct im_str value, struct im_ban *out)
{
    struct im_str rest;
    const char *why = NULL, *user = NULL;
    json_int_t since = 0, until = 0, by = 0;
    json_t *root = json_loadb(value.p ? value.p : "", value.len, JSON_REJECT_DUPLICATES, NULL);
    *out = (struct im_ban){0};
    bool ok = find_kind(key, &out->kind, &rest) && json_unpack(root, "{s:s, s:I, s:I, s:I, s?s}", "why", &why, "since",
                                                               &since, "until", &until, "by", &by, "user", &user) == 0;
    if (ok && out->kind == IM_BAN_NET)
        ok = im_ban_net(rest, out, &(struct im_error){0}) == IM_OK;
    else if (ok)
        ok = im_name_parse(user ? im_str(user) : rest, &out->user, NULL) == IM_OK;
    if (ok) {
        snprintf(out->why, sizeof out->why, "%s", why);
        out->since_ms = since;
        out->until_ms = until;
        out->by_uid = (unsigned)by;
    }
    json_decref(root);
    return ok;
}

void im_ban_write(const struct im_ban *ban, struct im_out *value)
{
    json_t *root = json_pack("{s:s, s:I, s:I, s:I}", "why", ban->why, "since", (json_int_t)ban->since_ms, "until",
                             (json_int_t)ban->until_ms, "by", (json_int_t)ban->by_uid);
    if (ban->kind != IM_BAN_NET)
        json_object_set_new(root, "user", json_stringn(ban->user.bytes, ban->user.text_len));
    char *text = json_dumps(root, JSON_COMPACT);
    im_out_str(value, text);
    free(text);
    json_decref(root);
}

/* All of them. */

static int compare(struct im_str a, struct im_str b)
{
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the key is, or would be. */
static size_t place_of(const struct im_bans *bans, struct im_str key, bool *found)
{
    size_t low = 0, high = bans->count;
    char buffer[IM_BAN_KEY_MAX];
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = compare(key, im_ban_key(&bans->rows[middle], buffer));
        *found = order == 0;
        if (order > 0)
            low = middle + 1;
        else
            high = *found ? high : middle;
        if (*found)
            low = middle;
    }
    return low;
}

static bool holds(const struct im_ban *ban, int64_t now_ms)
{
    return ban->until_ms == 0 || now_ms < ban->until_ms;
}

static void forget_old(struct im_bans *bans, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < bans->count; i++)
        if (holds(&bans->rows[i], now_ms))
            bans->rows[kept++] = bans->rows[i];
    bans->count = kept;
}

bool im_bans_put(struct im_bans *bans, const struct im_ban *ban, int64_t now_ms)
{
    char buffer[IM_BAN_KEY_MAX];
    bool found;
    forget_old(bans, now_ms);
    size_t at = place_of(bans, im_ban_key(ban, buffer), &found);
    if (!found && bans->count == IM_BANS_MAX)
        return false;
    if (!found && bans->count == bans->room) {
        bans->room = bans->room ? bans->room * 2 : 16;
        bans->rows = im_realloc(bans->rows, bans->room * sizeof *bans->rows);
    }
    if (!found)
        memmove(bans->rows + at + 1, bans->rows + at, (bans->count++ - at) * sizeof *bans->rows);
    bans->rows[at] = *ban;
    return true;
}

bool im_bans_drop(struct im_bans *bans, struct im_str key)
{
    bool found;
    size_t at = place_of(bans, key, &found);
    if (found)
        memmove(bans->rows + at, bans->rows + at + 1, (--bans->count - at) * sizeof *bans->rows);
    return found;
}

const struct im_ban *im_bans_user(const struct im_bans *bans, enum im_ban_kind kind, struct im_str user_key,
                                  int64_t now_ms)
{
    char key[IM_BAN_KEY_MAX];
    bool found;
    if (bans->count == 0)
        return NULL;
    snprintf(key, sizeof key, "%s/%.*s", kinds[kind], (int)user_key.len, user_key.p);
    size_t at = place_of(bans, im_str(key), &found);
    return found && holds(&bans->rows[at], now_ms) ? &bans->rows[at] : NULL;
}

const struct im_ban *im_bans_peer(const struct im_bans *bans, const char *peer, int64_t now_ms)
{
    uint8_t ip[16];
    bool found;
    if (bans->count == 0 || !im_address_peer(peer, ip))
        return NULL;
    for (size_t i = place_of(bans, IM_STR("net/"), &found); i < bans->count && bans->rows[i].kind == IM_BAN_NET; i++)
        if (holds(&bans->rows[i], now_ms) && im_ban_hits(&bans->rows[i], ip))
            return &bans->rows[i];
    return NULL;
}

void im_bans_clear(struct im_bans *bans)
{
    free(bans->rows);
    *bans = (struct im_bans){0};
}
