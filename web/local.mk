# The page's files, embedded into the program; the page itself at / and each other at its path below web/. A new file goes here and nowhere else.
web_files = \
	web/index.html \
	web/favicon.svg \
	web/manifest.webmanifest \
	web/css/base.css \
	web/css/chat.css \
	web/css/login.css \
	web/css/message.css \
	web/css/panel.css \
	web/js/main.js \
	web/js/session.js \
	web/js/i18n/en.js \
	web/js/i18n/index.js \
	web/js/i18n/zh.js \
	web/js/protocol/backoff.js \
	web/js/protocol/client.js \
	web/js/protocol/greet.js \
	web/js/session/account.js \
	web/js/session/acks.js \
	web/js/session/changes.js \
	web/js/session/delivery.js \
	web/js/session/history.js \
	web/js/session/members.js \
	web/js/session/profiles.js \
	web/js/session/typing.js \
	web/js/session/watch.js \
	web/js/state/chat.js \
	web/js/state/conversation.js \
	web/js/state/local.js \
	web/js/state/marks.js \
	web/js/state/member.js \
	web/js/state/message.js \
	web/js/state/outbox.js \
	web/js/state/people.js \
	web/js/state/rights.js \
	web/js/util/device.js \
	web/js/util/dom.js \
	web/js/util/emitter.js \
	web/js/util/picture.js \
	web/js/util/text.js \
	web/js/util/time.js \
	web/js/views/acts.js \
	web/js/views/chat.js \
	web/js/views/complete.js \
	web/js/views/composer.js \
	web/js/views/dialog.js \
	web/js/views/emoji.js \
	web/js/views/empty.js \
	web/js/views/gate.js \
	web/js/views/group.js \
	web/js/views/groups.js \
	web/js/views/log.js \
	web/js/views/login.js \
	web/js/views/member.js \
	web/js/views/menu.js \
	web/js/views/message.js \
	web/js/views/panel.js \
	web/js/views/parts.js \
	web/js/views/person.js \
	web/js/views/search.js \
	web/js/views/settings.js \
	web/js/views/sidebar.js \
	web/js/views/top.js

noinst_PROGRAMS += web/embed
web_embed_SOURCES = web/embed.c
web_embed_LDADD = $(SODIUM_LIBS) $(ZLIB_LIBS)

noinst_LIBRARIES += web/libimweb.a
web_libimweb_a_SOURCES = web/web.c web/web.h
nodist_web_libimweb_a_SOURCES = web/assets.c

web/assets.c: web/embed$(EXEEXT) $(web_files)
	$(AM_V_GEN)$(MKDIR_P) web && web/embed$(EXEEXT) $(top_srcdir) $(web_files) >$@.tmp && mv $@.tmp $@

CLEANFILES += web/assets.c web/assets.c.tmp
EXTRA_DIST += $(web_files) web/package.json
