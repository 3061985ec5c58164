noinst_LIBRARIES += stores/libimstores.a
stores_libimstores_a_SOURCES = \
	stores/lane.c stores/lane.h \
	stores/memory.c \
	stores/result.c stores/result.h \
	stores/sqlite.c \
	stores/sqlite_boot.c stores/sqlite_boot.h \
	stores/sqlite_db.c stores/sqlite_db.h \
	stores/sqlite_read.c stores/sqlite_read.h \
	stores/sqlite_schema.c \
	stores/sqlite_sql.def \
	stores/sqlite_write.c stores/sqlite_write.h \
	stores/stores.c stores/stores.h
