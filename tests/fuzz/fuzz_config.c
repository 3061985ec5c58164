#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/mem.h"
#include "tools/imd/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What loads, is written so that it loads again; what does not, says why on lines that steer no terminal. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_out out = {0};
    struct im_config *config = im_config_parse("f", (struct im_str){(const char *)data, size}, &out);
    assert((config == NULL) == (out.len > 0));
    for (size_t i = 0; i < out.len; i++)
        assert((unsigned char)im_out_data(&out)[i] >= 0x20 || im_out_data(&out)[i] == '\n');
    im_out_clear(&out);
    if (!config)
        return 0;
    struct im_out errors = {0};
    im_config_write(config, &out);
    struct im_config *again = im_config_parse("again", (struct im_str){im_out_data(&out), out.len}, &errors);
    assert(again && errors.len == 0);
    assert(im_config_same_listeners(config, again));
    for (size_t i = 0; i < im_config_row_count; i++)
        assert(im_config_same(&im_config_rows[i], config, again));
    im_config_free(&again);
    im_config_free(&config);
    im_out_clear(&out);
    return 0;
}
