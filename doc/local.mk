# Manual pages, and pages made from the tables in core/tbl.

noinst_PROGRAMS += doc/gen_commands doc/gen_tables doc/gen_schema
doc_gen_commands_SOURCES = doc/gen_commands.c
doc_gen_commands_LDADD = $(IM_IMD) $(IM_WEB) $(IM_TRANSPORTS) $(IM_STORES) $(IM_CORE)
doc_gen_tables_SOURCES = doc/gen_tables.c
doc_gen_schema_SOURCES = doc/gen_schema.c
doc_gen_schema_LDADD = $(IM_CORE)

doc_tables = \
	$(top_srcdir)/core/tbl/config.def \
	$(top_srcdir)/core/tbl/counters.def \
	$(top_srcdir)/core/tbl/histograms.def \
	$(top_srcdir)/core/tbl/fields.def \
	$(top_srcdir)/core/tbl/limits.def \
	$(top_srcdir)/core/tbl/listen.def \
	$(top_srcdir)/core/tbl/ops.def \
	$(top_srcdir)/core/tbl/permissions.def \
	$(top_srcdir)/core/tbl/reasons.def \
	$(top_srcdir)/core/tbl/roles.def \
	$(top_srcdir)/core/tbl/said.def \
	$(top_srcdir)/core/tbl/shapes.def \
	$(top_srcdir)/core/tbl/slash.def

# List hand-written pages here; check-man lints all of them.
dist_man_MANS = doc/imd.8 doc/imbench.1
man_MANS += doc/imctl.1 doc/imd.yaml.5 doc/im-protocol.7
CLEANFILES += doc/imctl.1 doc/imd.yaml.5 doc/im-protocol.7

doc/imctl.1: doc/imctl.1.in doc/gen_commands$(EXEEXT)
	$(AM_V_GEN)doc/gen_commands$(EXEEXT) <$(srcdir)/doc/imctl.1.in >$@.tmp && mv $@.tmp $@

doc/imd.yaml.5: doc/imd.yaml.5.in doc/gen_tables$(EXEEXT) $(doc_tables)
	$(AM_V_GEN)doc/gen_tables$(EXEEXT) mdoc <$(srcdir)/doc/imd.yaml.5.in >$@.tmp && mv $@.tmp $@

doc/im-protocol.7: doc/im-protocol.7.in doc/gen_tables$(EXEEXT) $(doc_tables)
	$(AM_V_GEN)doc/gen_tables$(EXEEXT) mdoc <$(srcdir)/doc/im-protocol.7.in >$@.tmp && mv $@.tmp $@

# Writes the committed doc/reference.md and schema afresh; doc/check_docs.sh complains when that is due.
update-reference: doc/gen_tables$(EXEEXT) doc/gen_schema$(EXEEXT)
	doc/gen_tables$(EXEEXT) markdown <$(srcdir)/doc/reference.md.in >$(srcdir)/doc/reference.md
	doc/gen_schema$(EXEEXT) >$(srcdir)/doc/im.v1.schema.json

dist_doc_DATA = README.md README.zh-CN.md
docpagesdir = $(docdir)/doc
dist_docpages_DATA = \
	doc/README.md \
	doc/HACKING.md \
	doc/architecture.md \
	doc/auth.md \
	doc/benchmarks.md \
	doc/benchmarks.svg \
	doc/benchmarks-latency.svg \
	doc/benchmarks-memory.svg \
	doc/hooks.md \
	doc/im.v1.schema.json \
	doc/page.png \
	doc/protocol.md \
	doc/reference.md
docwhydir = $(docpagesdir)/why
dist_docwhy_DATA = \
	doc/why/accounts.md \
	doc/why/hot-path.md \
	doc/why/http.md \
	doc/why/log-and-cursor.md \
	doc/why/login.md \
	doc/why/memory.md \
	doc/why/sqlite.md \
	doc/why/store-lanes.md \
	doc/why/stream.md \
	doc/why/tables.md \
	doc/why/upgrade.md \
	doc/why/workers.md

EXTRA_DIST += \
	doc/check_docs.sh \
	doc/check_examples.py \
	doc/check_examples.sh \
	doc/im-protocol.7.in \
	doc/imctl.1.in \
	doc/imd.yaml.5.in \
	doc/reference.md.in
TESTS += doc/check_docs.sh doc/check_examples.sh

check-man: $(man_MANS)
	@test -n "$(MANDOC)" || { echo "check-man: mandoc is missing (Debian: mandoc)"; exit 1; }
	@set -e; for page in $(dist_man_MANS) $(man_MANS); do \
	  test -e "$$page" || page="$(srcdir)/$$page"; \
	  echo "mandoc -Tlint $$page"; $(MANDOC) -Tlint -W warning "$$page"; done

.PHONY: check-man update-reference
