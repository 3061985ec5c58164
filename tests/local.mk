TEST_EXTENSIONS = .sh
LOG_DRIVER = $(SHELL) $(top_srcdir)/tests/run/driver
SH_LOG_DRIVER = $(LOG_DRIVER)

# What tests may rely on.
AM_TESTS_ENVIRONMENT = \
	IMD='$(abs_top_builddir)/tools/imd/imd'; export IMD; \
	IMCTL='$(abs_top_builddir)/tools/imctl/imctl'; export IMCTL; \
	IMBENCH='$(abs_top_builddir)/tools/imbench/imbench'; export IMBENCH; \
	PYTHON3='$(PYTHON3)'; export PYTHON3; \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	ASAN_OPTIONS="strict_string_checks=1:detect_stack_use_after_return=1:allow_addr2line=1:$$ASAN_OPTIONS"; export ASAN_OPTIONS; \
	UBSAN_OPTIONS="print_stacktrace=1:allow_addr2line=1:$$UBSAN_OPTIONS"; export UBSAN_OPTIONS; \
	TSAN_OPTIONS="halt_on_error=1:$$TSAN_OPTIONS"; export TSAN_OPTIONS;

EXTRA_DIST += \
	tests/run/browser.sh \
	tests/run/driver \
	tests/run/e2e-1.sh \
	tests/run/e2e-2.sh \
	tests/run/e2e-3.sh \
	tests/run/fault.sh \
	tests/run/imd_tap.py \
	tests/run/pytest \
	tests/run/rfc6455.sh \
	tests/run/valgrind.supp

include tests/unit/local.mk
include tests/fuzz/local.mk
include tests/sim/local.mk
include tests/conform/local.mk
include tests/e2e/local.mk
include tests/fault/local.mk
include tests/browser/local.mk
include tests/bench/local.mk

check-valgrind:
	@test -n "$(VALGRIND)" || { echo "check-valgrind: valgrind is missing (Debian: valgrind)"; exit 1; }
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(UNIT_TESTS)" TEST_SUITE_LOG=valgrind.log LOG_COMPILER="$(VALGRIND) -q \
	  --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
	  --suppressions=$(abs_top_srcdir)/tests/run/valgrind.supp"

# The server as several threads, which is where --enable-sanitizers=thread has something to see.
check-workers: all $(check_PROGRAMS)
	IMD_WORKERS=3 IMD_TEST_TIMEOUT=1800 $(MAKE) $(AM_MAKEFLAGS) check TESTS="$(E2E_TESTS) tests/run/fault.sh tests/conform/transport" \
	  TEST_SUITE_LOG=workers.log

coverage: check
	@command -v lcov >/dev/null || { echo "coverage: lcov is missing (Debian: lcov)"; exit 1; }
	lcov --quiet --capture --directory . --base-directory $(abs_top_srcdir) --no-external --output-file coverage.info
	lcov --quiet --remove coverage.info '*/tests/*' --output-file coverage.info
	genhtml --quiet --output-directory coverage coverage.info
	lcov --summary coverage.info

.PHONY: check-valgrind check-workers coverage
CLEANFILES += valgrind.log workers.log browser.log coverage.info

clean-local:
	rm -rf coverage tests/browser/node_modules
	find . \( -name '*.gcda' -o -name '*.gcno' \) -exec rm -f {} +

# What takes too long for every day.
check-long: all $(check_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) tests/sim/sim 60000
	$(AM_TESTS_ENVIRONMENT) IM_FULL=1 tests/conform/store
	$(AM_TESTS_ENVIRONMENT) IM_KILLS=200 $(top_srcdir)/tests/run/fault.sh
	$(AM_TESTS_ENVIRONMENT) IM_FULL=1 $(top_srcdir)/tests/run/rfc6455.sh
.PHONY: check-long
