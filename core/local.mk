noinst_LIBRARIES += core/libimcore.a
core_libimcore_a_SOURCES = \
	core/bytes.c core/bytes.h \
	core/command.c core/command.h \
	core/config.c core/config.h \
	core/core.c core/core.h core/private.h \
	core/counters.c core/counters.h \
	core/cursor.c \
	core/dialect.c core/dialect.h \
	core/dialect_classroom.c \
	core/dialect_human.c \
	core/dialect_json.c \
	core/directory.c \
	core/event.c core/event.h \
	core/hash.c core/hash.h \
	core/log.c core/log.h \
	core/mem.c core/mem.h \
	core/name.c core/name.h \
	core/ops.c \
	core/reason.c core/reason.h \
	core/session.c \
	core/store.h \
	core/str.c core/str.h \
	core/suggest.c core/suggest.h \
	core/transport.h \
	core/tbl/config.def \
	core/tbl/counters.def \
	core/tbl/fields.def \
	core/tbl/listen.def \
	core/tbl/ops.def \
	core/tbl/reasons.def \
	core/tbl/slash.def \
	core/tbl/texts.def
