#ifndef IM_CORE_ADDRESS_H
#define IM_CORE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* IP addresses as texts and as 16 bytes, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2). Pure functions, any thread. */

/* "192.0.2.7", "2001:db8::1"; four (may be NULL): it was written as IPv4. False: no address. */
bool im_address_read(const char *text, uint8_t ip[16], bool *four);
/* "192.0.2.7:5000", "[2001:db8::1]:5000", as transports write a peer; false: none (a Unix socket's). */
bool im_address_peer(const char *peer, uint8_t ip[16]);
#define IM_ADDRESS_TEXT 46
void im_address_write(const uint8_t ip[16], char out[IM_ADDRESS_TEXT]);

bool im_address_is_four(const uint8_t ip[16]);
bool im_address_is_loopback(const uint8_t ip[16]);
/* Leaves what one peer cannot choose freely: of IPv6 the first 64 bits, for whole networks go to one customer. */
void im_address_network(uint8_t ip[16]);

#endif
