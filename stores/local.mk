noinst_LIBRARIES += stores/libimstores.a
stores_libimstores_a_SOURCES = \
	stores/lane.c stores/lane.h \
	stores/memory.c stores/memory.h \
	stores/memory_append.c \
	stores/memory_block.c \
	stores/memory_conv.c \
	stores/memory_event.c \
	stores/memory_group.c \
	stores/memory_kept.c \
	stores/memory_log.c \
	stores/memory_people.c \
	stores/memory_piece.c \
	stores/memory_read.c \
	stores/memory_record.c \
	stores/memory_search.c stores/memory_sent.c \
	stores/memory_sweep.c \
	stores/result.c stores/result.h \
	stores/rules.c stores/rules.h \
	stores/sqlite.c \
	stores/sqlite_append.c \
	stores/sqlite_cache.c stores/sqlite_cache.h \
	stores/sqlite_care.c stores/sqlite_care.h \
	stores/sqlite_boot.c stores/sqlite_boot.h \
	stores/sqlite_db.c stores/sqlite_db.h \
	stores/sqlite_filter.c stores/sqlite_filter.h \
	stores/sqlite_group.c \
	stores/sqlite_history.c \
	stores/sqlite_lists.c \
	stores/sqlite_look.c \
	stores/sqlite_people.c \
	stores/sqlite_read.c stores/sqlite_read.h \
	stores/sqlite_records.c \
	stores/sqlite_schema.c \
	stores/sqlite_search.c \
	stores/sqlite_since.c \
	stores/sqlite_sql.def \
	stores/sqlite_sweep.c \
	stores/sqlite_write.c stores/sqlite_write.h \
	stores/stores.c stores/stores.h
