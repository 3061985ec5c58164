# One cmocka program per thing: tests/unit/test_<thing>.c. Add its name; the source file follows from the name. A test
# of something above the core names what it needs: tests_unit_test_<thing>_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
IM_UNIT = $(IM_CORE) $(CMOCKA_LIBS)
LDADD = $(IM_UNIT)

UNIT_TESTS = \
	tests/unit/test_admin \
	tests/unit/test_bytes \
	tests/unit/test_config \
	tests/unit/test_config_file \
	tests/unit/test_core \
	tests/unit/test_dialects \
	tests/unit/test_filter \
	tests/unit/test_groups \
	tests/unit/test_handover \
	tests/unit/test_histogram \
	tests/unit/test_human \
	tests/unit/test_human_print \
	tests/unit/test_imbench \
	tests/unit/test_imctl \
	tests/unit/test_json \
	tests/unit/test_json_write \
	tests/unit/test_log \
	tests/unit/test_mention \
	tests/unit/test_name \
	tests/unit/test_people \
	tests/unit/test_rate \
	tests/unit/test_search

tests_unit_test_core_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_groups_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_people_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_dialects_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_json_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_handover_LDADD = $(IM_IMD) $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_filter_LDADD = $(IM_IMD) $(IM_UNIT)
tests_unit_test_admin_LDADD = $(IM_IMD) $(IM_WEB) $(IM_TRANSPORTS) $(IM_STORES) $(IM_UNIT)
tests_unit_test_config_file_LDADD = $(IM_IMD) $(IM_UNIT)
tests_unit_test_imbench_LDADD = $(IM_IMBENCH) $(IM_UNIT)
tests_unit_test_imctl_LDADD = $(IM_IMCTL) $(IM_UNIT)
tests_unit_test_log_LDADD = $(IM_IMD) $(IM_UNIT)
EXTRA_DIST += tests/unit/person.h tests/unit/unit.h tests/unit/world.h

# Logging in.
UNIT_TESTS += \
	tests/unit/test_account \
	tests/unit/test_address \
	tests/unit/test_backoff \
	tests/unit/test_ban \
	tests/unit/test_hasher \
	tests/unit/test_jwt \
	tests/unit/test_keys \
	tests/unit/test_login
tests_unit_test_hasher_LDADD = $(IM_IMD) $(IM_UNIT)
tests_unit_test_keys_LDADD = $(IM_IMD) $(IM_UNIT)
tests_unit_test_login_LDADD = $(IM_STORES) $(IM_UNIT)

# Stores. The box is shared with tests/conform/store.
STORE_BOX = tests/conform/store_box.c tests/conform/store_box.h
STORE_FILE = $(STORE_BOX) tests/conform/store_act.c tests/conform/store_act.h \
	tests/unit/sqlite_file.c tests/unit/sqlite_file.h
FAULT_VFS = tests/unit/fault_vfs.c tests/unit/fault_vfs.h
UNIT_TESTS += \
	tests/unit/test_memory \
	tests/unit/test_result \
	tests/unit/test_rules \
	tests/unit/test_sqlite_boot \
	tests/unit/test_sqlite_cache \
	tests/unit/test_sqlite_crash \
	tests/unit/test_sqlite_faults \
	tests/unit/test_sqlite_search \
	tests/unit/test_sqlite_sql \
	tests/unit/test_store_lane
tests_unit_test_memory_SOURCES = tests/unit/test_memory.c $(STORE_BOX)
tests_unit_test_memory_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_result_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_rules_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_boot_SOURCES = tests/unit/test_sqlite_boot.c $(STORE_FILE)
tests_unit_test_sqlite_boot_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_cache_SOURCES = tests/unit/test_sqlite_cache.c $(STORE_FILE)
tests_unit_test_sqlite_cache_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_crash_SOURCES = tests/unit/test_sqlite_crash.c $(STORE_FILE)
tests_unit_test_sqlite_crash_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_faults_SOURCES = tests/unit/test_sqlite_faults.c $(STORE_FILE) $(FAULT_VFS)
tests_unit_test_sqlite_faults_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_search_SOURCES = tests/unit/test_sqlite_search.c $(STORE_FILE)
tests_unit_test_sqlite_search_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_sqlite_sql_SOURCES = tests/unit/test_sqlite_sql.c $(STORE_BOX)
tests_unit_test_sqlite_sql_LDADD = $(IM_STORES) $(IM_UNIT)
tests_unit_test_store_lane_LDADD = $(IM_STORES) $(IM_UNIT)

# The page.
UNIT_TESTS += tests/unit/test_web
tests_unit_test_web_LDADD = $(IM_WEB) $(IM_TRANSPORTS) $(IM_UNIT)

# Connections.
PEER = tests/conform/peer.c tests/conform/peer.h
UNIT_TESTS += \
	tests/unit/test_gate \
	tests/unit/test_lines \
	tests/unit/test_listener \
	tests/unit/test_mailbox \
	tests/unit/test_parcel \
	tests/unit/test_stream
tests_unit_test_gate_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_lines_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_mailbox_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_parcel_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c $(PEER)
tests_unit_test_listener_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c $(PEER)
tests_unit_test_stream_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)

# Webhooks. As in tests/conform/transport, the core is the test's own where there is one.
UNIT_TESTS += \
	tests/unit/test_hook \
	tests/unit/test_hook_record \
	tests/unit/test_http_client \
	tests/unit/test_http_hook
FAKE_CORE = tests/conform/fake_core.c tests/conform/fake_core.h
tests_unit_test_hook_SOURCES = tests/unit/test_hook.c $(FAKE_CORE) $(PEER)
tests_unit_test_hook_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_hook_record_LDADD = $(IM_IMD) $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_http_client_SOURCES = tests/unit/test_http_client.c $(PEER)
tests_unit_test_http_client_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_http_hook_SOURCES = tests/unit/test_http_hook.c $(FAKE_CORE) $(PEER)
tests_unit_test_http_hook_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)

# HTTP and WebSocket.
WS_SCRIPT = tests/unit/ws_script.c tests/unit/ws_script.h
UNIT_TESTS += \
	tests/unit/test_http_head \
	tests/unit/test_http_value \
	tests/unit/test_websocket \
	tests/unit/test_ws_deflate \
	tests/unit/test_ws_frame \
	tests/unit/test_ws_utf8
tests_unit_test_http_head_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_http_value_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
# As in tests/conform/transport: the core is the test's own.
tests_unit_test_websocket_SOURCES = tests/unit/test_websocket.c \
	tests/conform/fake_core.c tests/conform/fake_core.h \
	tests/conform/peer.c tests/conform/peer.h \
	tests/conform/speech.c tests/conform/speech.h
tests_unit_test_websocket_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_ws_deflate_SOURCES = tests/unit/test_ws_deflate.c $(WS_SCRIPT)
tests_unit_test_ws_deflate_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_ws_frame_SOURCES = tests/unit/test_ws_frame.c $(WS_SCRIPT)
tests_unit_test_ws_frame_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)
tests_unit_test_ws_utf8_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)

check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
