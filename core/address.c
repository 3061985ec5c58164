#include "core/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool im_address_read(const char *text, uint8_t ip[16], bool *four)
{
    memcpy(ip, mapped, sizeof mapped);
    bool is_four = inet_pton(AF_INET, text, ip + 12) == 1;
    if (four)
        *four = is_four;
    return is_four || inet_pton(AF_INET6, text, ip) == 1;
}

bool im_address_peer(const char *peer, uint8_t ip[16])
{
    char host[64];
    bool bracketed = *peer == '[';
    const char *colon = strrchr(peer, ':');
    int len = colon ? (int)(colon - peer) - 2 * bracketed : 0;
    if (len <= 0 || (size_t)len >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", len, peer + bracketed);
    return im_address_read(host, ip, NULL);
}

void im_address_write(const uint8_t ip[16], char out[IM_ADDRESS_TEXT])
{
    bool four = im_address_is_four(ip);
    inet_ntop(four ? AF_INET : AF_INET6, four ? ip + 12 : ip, out, IM_ADDRESS_TEXT);
}

bool im_address_is_four(const uint8_t ip[16])
{
    return memcmp(ip, mapped, sizeof mapped) == 0;
}

bool im_address_is_loopback(const uint8_t ip[16])
{
    static const uint8_t one[16] = {[15] = 1};
    return im_address_is_four(ip) ? ip[12] == 127 : memcmp(ip, one, sizeof one) == 0;
}

void im_address_network(uint8_t ip[16])
{
    if (!im_address_is_four(ip))
        memset(ip + 8, 0, 8);
}
