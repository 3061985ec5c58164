#ifndef IM_TESTS_UNIT_H
#define IM_TESTS_UNIT_H

/* cmocka wants these before it, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_str(view, literal)                                                                                      \
    do {                                                                                                               \
        struct im_str assert_str_view = (view);                                                                        \
        assert_int_equal(assert_str_view.len, strlen(literal));                                                        \
        assert_memory_equal(assert_str_view.p, literal, assert_str_view.len);                                          \
    } while (0)

#endif
