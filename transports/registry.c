#include <string.h>

#include "transports/transports.h"

const struct im_transport *const im_transports[] = {
    &im_transport_websocket,
    &im_transport_line,
    &im_transport_unix,
    NULL,
};

const struct im_transport *im_transport_find(const char *name)
{
    for (size_t i = 0; im_transports[i]; i++)
        if (strcmp(im_transports[i]->name, name) == 0)
            return im_transports[i];
    return NULL;
}
