#ifndef IM_TESTS_CONFORM_STORE_MODEL_H
#define IM_TESTS_CONFORM_STORE_MODEL_H

#include "tests/conform/store_box.h"

/* A store as one would write it without a thought for speed, and random operations to compare a real one with it. */
struct model;

struct model *model_new(uint64_t seed);
void model_free(struct model **);
/* One random operation, or a few in flight together, on both; failing when they differ. */
void model_step(struct model *, struct box *);

#endif
