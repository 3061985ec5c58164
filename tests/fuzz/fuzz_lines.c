#include <assert.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "transports/lines.h"

/* However the input is cut up, the same lines come out. The first byte sets the limit, the second the size of pieces.
 */

static void cut(struct im_out *out, struct im_str input, size_t step, size_t max)
{
    struct im_lines lines = {0};
    enum im_lines_got got = IM_LINES_MORE;
    struct im_str line;
    while (input.len > 0 && got != IM_LINES_LONG) {
        size_t n = input.len < step ? input.len : step;
        struct im_str in = {input.p, n};
        while (in.len > 0 && got != IM_LINES_LONG) {
            got = im_lines_next(&lines, max, &in, &line);
            assert(got != IM_LINES_LINE || line.len <= max);
            assert(lines.len <= max + 1);
            if (got == IM_LINES_LINE) {
                im_out_put(out, line.p, line.len);
                im_out_char(out, '\n');
            }
            im_lines_done(&lines);
        }
        input = (struct im_str){input.p + n, input.len - n};
    }
    if (got != IM_LINES_LONG && im_lines_rest(&lines, max, &line))
        im_out_put(out, line.p, line.len);
    im_lines_clear(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct im_out whole = {0}, pieces = {0};
    if (size < 3)
        return 0;
    struct im_str input = {(const char *)data + 2, size - 2};
    cut(&whole, input, input.len, data[0]);
    cut(&pieces, input, data[1] + 1u, data[0]);
    assert(whole.len == pieces.len && memcmp(im_out_data(&whole), im_out_data(&pieces), whole.len) == 0);
    im_out_clear(&whole);
    im_out_clear(&pieces);
    return 0;
}
