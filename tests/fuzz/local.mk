# One target per parser: add tests/fuzz/fuzz_<thing> here, its LDADD below, and a folder tests/fuzz/corpus/<thing>.
#   tests_fuzz_fuzz_<thing>_LDADD = $(IM_FUZZ)                     core alone
#   tests_fuzz_fuzz_<thing>_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)    with the transports
# `make check` replays the corpus. Configured with CC=clang --enable-fuzz, `make fuzz` looks for new inputs.
FUZZ_TARGETS = tests/fuzz/fuzz_admin tests/fuzz/fuzz_config tests/fuzz/fuzz_human tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_json_write
tests_fuzz_fuzz_human_LDADD = $(IM_FUZZ)
tests_fuzz_fuzz_json_LDADD = $(IM_FUZZ)
tests_fuzz_fuzz_json_write_LDADD = $(IM_FUZZ)

tests_fuzz_fuzz_admin_LDADD = $(IM_IMD) $(IM_WEB) $(IM_TRANSPORTS) $(IM_STORES) $(IM_FUZZ)
tests_fuzz_fuzz_config_LDADD = $(IM_IMD) $(IM_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_lines
tests_fuzz_fuzz_lines_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_http_head tests/fuzz/fuzz_ws_deflate tests/fuzz/fuzz_ws_frame
tests_fuzz_fuzz_http_head_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)
tests_fuzz_fuzz_ws_deflate_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)
tests_fuzz_fuzz_ws_frame_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_mention tests/fuzz/fuzz_search
tests_fuzz_fuzz_mention_LDADD = $(IM_FUZZ)
tests_fuzz_fuzz_search_LDADD = $(IM_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_jwt
tests_fuzz_fuzz_jwt_LDADD = $(IM_FUZZ)

FUZZ_TARGETS += tests/fuzz/fuzz_hook_record tests/fuzz/fuzz_http_response
tests_fuzz_fuzz_hook_record_LDADD = $(IM_IMD) $(IM_TRANSPORTS) $(IM_FUZZ)
tests_fuzz_fuzz_http_response_LDADD = $(IM_TRANSPORTS) $(IM_FUZZ)

EXTRA_DIST += tests/fuzz/corpus
check_PROGRAMS += $(FUZZ_TARGETS)

if FUZZ
IM_FUZZ = $(IM_CORE) $(FUZZ_LDFLAGS)
FUZZ_SECONDS = 60
fuzz: $(FUZZ_TARGETS)
	@set -e; for target in $(FUZZ_TARGETS); do thing=$${target##*/fuzz_}; echo "== $$thing"; \
	  $(MKDIR_P) tests/fuzz/found/$$thing; \
	  $$target -timeout=10 -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=tests/fuzz/found/$$thing- \
	    tests/fuzz/found/$$thing $(srcdir)/tests/fuzz/corpus/$$thing; done
else
check_LIBRARIES = tests/fuzz/libreplay.a
tests_fuzz_libreplay_a_SOURCES = tests/fuzz/replay.c
IM_FUZZ = tests/fuzz/libreplay.a $(IM_CORE)
TESTS += $(FUZZ_TARGETS)
endif

.PHONY: fuzz
