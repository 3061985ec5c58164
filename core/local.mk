noinst_LIBRARIES += core/libimcore.a
core_libimcore_a_SOURCES = \
	core/account.c core/account.h \
	core/address.c core/address.h \
	core/append.c \
	core/auth.c core/auth.h \
	core/ban.c core/ban.h \
	core/backoff.c core/backoff.h \
	core/bytes.c core/bytes.h \
	core/command.c core/command.h \
	core/config.c core/config.h \
	core/core.c core/core.h core/private.h \
	core/counters.c core/counters.h \
	core/cursor.c \
	core/dialect.c core/dialect.h \
	core/dialect_classroom.c \
	core/dialect_human.c core/dialect_human.h \
	core/dialect_human_commands.c \
	core/dialect_human_memory.c \
	core/dialect_human_print.c \
	core/dialect_human_text.c \
	core/dialect_json.c core/dialect_json.h \
	core/dialect_json_write.c \
	core/directory.c \
	core/event.c core/event.h \
	core/group.c core/group.h \
	core/groups.c \
	core/hash.c core/hash.h \
	core/hasher.h \
	core/histogram.c core/histogram.h \
	core/inspect.c core/inspect.h \
	core/json_scan.c core/json_scan.h \
	core/jwt.c core/jwt.h \
	core/log.c core/log.h \
	core/login.c \
	core/mem.c core/mem.h \
	core/mention.c core/mention.h \
	core/name.c core/name.h \
	core/ops.c \
	core/ops_group.c \
	core/ops_message.c \
	core/ops_people.c \
	core/ops_read.c \
	core/presence.c \
	core/profile.c core/profile.h \
	core/rate.c core/rate.h \
	core/reason.c core/reason.h \
	core/receipts.c \
	core/register.c \
	core/request.c core/request.h \
	core/search.c core/search.h \
	core/session.c \
	core/store.h \
	core/str.c core/str.h \
	core/suggest.c core/suggest.h \
	core/sweep.c \
	core/thread.c core/thread.h \
	core/transport.h \
	core/tbl/changes.def \
	core/tbl/config.def \
	core/tbl/counters.def \
	core/tbl/fields.def \
	core/tbl/histograms.def \
	core/tbl/limits.def \
	core/tbl/listen.def \
	core/tbl/ops.def \
	core/tbl/permissions.def \
	core/tbl/reasons.def \
	core/tbl/roles.def \
	core/tbl/said.def \
	core/tbl/shapes.def \
	core/tbl/slash.def \
	core/tbl/subsystems.def \
	core/tbl/texts.def
