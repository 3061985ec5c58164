#ifndef IM_TOOLS_IMD_TRIAL_H
#define IM_TOOLS_IMD_TRIAL_H

#include <sys/types.h>

#include "core/bytes.h"
#include "tools/imd/handover.h"

/* A child in which another program shows whether it can start from what it would be left. What it says is kept, and
 * nothing is waited for: whoever wants to know asks again. */
struct imd_trial {
    pid_t pid; /* 0: none runs */
    int out;   /* what it says, standard error too */
    int status;
    uint64_t until_ms; /* then it is killed */
    bool killed;
    struct im_out said;
};

/* h->trial is set, h->binary is the program. imd_trial_clear() is in order whatever is returned. */
enum im_reason imd_trial_start(struct imd_trial *, const struct imd_handover *, const struct imd_start *,
                               bool rehearsal, uint64_t patience_ms, struct im_error *);
/* Is it over? */
bool imd_trial_look(struct imd_trial *);
/* Once it is: IM_OK, or with a detail that is what the program said, why it cannot start. */
enum im_reason imd_trial_verdict(const struct imd_trial *, struct im_error *);
/* Ends it if it still runs. */
void imd_trial_clear(struct imd_trial *);

#endif
