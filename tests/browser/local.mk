# The chat page in a real browser. Pictures of every view stay in tests/browser/artifacts.
EXTRA_DIST += \
	tests/browser/.npmrc \
	tests/browser/account.test.mjs \
	tests/browser/chat.test.mjs \
	tests/browser/compose.test.mjs \
	tests/browser/daemon.mjs \
	tests/browser/groups.test.mjs \
	tests/browser/http.test.mjs \
	tests/browser/look.test.mjs \
	tests/browser/messages.test.mjs \
	tests/browser/modules.test.mjs \
	tests/browser/package-lock.json \
	tests/browser/package.json \
	tests/browser/people.mjs \
	tests/browser/people.test.mjs \
	tests/browser/picture.mjs \
	tests/browser/reconnect.test.mjs

check-browser: all
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS=tests/run/browser.sh TEST_SUITE_LOG=browser.log

# Makes the README's picture afresh; after check-browser, which brings what it needs.
update-picture: all
	cd tests/browser && IMD='$(abs_top_builddir)/tools/imd/imd' $(NODE) picture.mjs '$(abs_top_srcdir)/doc/page.png'

.PHONY: check-browser update-picture
