#ifndef IM_TOOLS_IMD_OUTSIDE_H
#define IM_TOOLS_IMD_OUTSIDE_H

#include "tools/imd/config_file.h"

/* What no configuration file can tell by itself: whether the directories, files, certificates and groups it names will
 * do. Looks only, and makes nothing. Each problem is a line in *errors, at its key's place; the reason is the first
 * one's. inside: this process is in data_dir already. */
enum im_reason imd_outside_check(const struct im_config *, const struct im_config_places *, bool inside,
                                 struct im_out *errors);

#endif
