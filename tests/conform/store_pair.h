#ifndef IM_TESTS_CONFORM_STORE_PAIR_H
#define IM_TESTS_CONFORM_STORE_PAIR_H

/* Random operations on two stores at once, that must answer alike. */
void all_stores_answer_alike(void **state);

#endif
