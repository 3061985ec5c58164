#include <stdio.h>
#include <string.h>

#include "tools/imd/admin.h"

/* Puts the commands of the admin socket, as their tables have them, in the place of "@COMMANDS@" of a manual page. */
int main(void)
{
    static const struct im_rpc rpc = {.tables = imd_admin_tables};
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        struct im_out out = {0};
        if (strcmp(line, "@COMMANDS@\n") == 0)
            im_rpc_manual(&rpc, &out);
        else
            im_out_str(&out, line);
        fwrite(im_out_data(&out), 1, out.len, stdout);
        im_out_clear(&out);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
