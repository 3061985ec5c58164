# What the system around imd wants to have of it, each with its place; configure --help names the options that move it.

EXTRA_DIST += \
	etc/docker.yaml \
	etc/imd.apparmor.in \
	etc/imd.logrotate.in \
	etc/imd.service.in \
	etc/imd.sysusers.in \
	etc/imd.tmpfiles.in \
	etc/imd.yaml

# Only a server that was built to tell systemd that it lives can be watched.
SERVICE_NOTIFY = `test $(SERVICE_TYPE) = notify && echo '-e s/^[@]NOTIFY@//' || echo '-e /^[@]NOTIFY@/d'`
etc_made = $(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's|[@]bindir@|$(bindir)|g' -e 's|[@]sysconfdir@|$(sysconfdir)|g' \
	-e 's|[@]localstatedir@|$(localstatedir)|g' -e 's|[@]runstatedir@|$(runstatedir)|g' \
	-e 's|[@]SERVICE_TYPE@|$(SERVICE_TYPE)|g' $(SERVICE_NOTIFY)

etc/imd.service: etc/imd.service.in Makefile
	$(etc_made) $(srcdir)/etc/imd.service.in >$@.tmp && mv $@.tmp $@
etc/imd.sysusers: etc/imd.sysusers.in Makefile
	$(etc_made) $(srcdir)/etc/imd.sysusers.in >$@.tmp && mv $@.tmp $@
etc/imd.tmpfiles: etc/imd.tmpfiles.in Makefile
	$(etc_made) $(srcdir)/etc/imd.tmpfiles.in >$@.tmp && mv $@.tmp $@
etc/imd.logrotate: etc/imd.logrotate.in Makefile
	$(etc_made) $(srcdir)/etc/imd.logrotate.in >$@.tmp && mv $@.tmp $@
etc/imd.apparmor: etc/imd.apparmor.in Makefile
	$(etc_made) $(srcdir)/etc/imd.apparmor.in >$@.tmp && mv $@.tmp $@
# The example is to be read where it is: its paths are the usual ones, and become those of configure.
etc/imd.yaml.made: etc/imd.yaml Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's|/var/lib/imd|$(localstatedir)/lib/imd|g' \
	  -e 's|/run/imd/|$(runstatedir)/imd/|g' $(srcdir)/etc/imd.yaml >$@.tmp && mv $@.tmp $@

etc_files = etc/imd.service etc/imd.sysusers etc/imd.tmpfiles etc/imd.logrotate etc/imd.apparmor etc/imd.yaml.made
noinst_DATA = $(etc_files)
CLEANFILES += $(etc_files)

systemdsystemunit_DATA = etc/imd.service
dist_systemdsystemunit_DATA = etc/imd.socket

bashcompletion_files = etc/completions/imctl.bash
EXTRA_DIST += $(bashcompletion_files)
dist_zshcompletion_DATA = etc/completions/_imctl
dist_fishcompletion_DATA = etc/completions/imctl.fish

dist_pkgdata_DATA = \
	etc/grafana-dashboard.json \
	etc/prometheus-alerts.yaml

configdir = $(sysconfdir)/imd

# A configuration that is there already is somebody's: it stays, and is only removed while it is what we installed.
install-data-local: $(etc_files)
	$(MKDIR_P) '$(DESTDIR)$(configdir)/imd.yaml.d' '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)' \
	  '$(DESTDIR)$(logrotatedir)' '$(DESTDIR)$(apparmordir)' '$(DESTDIR)$(bashcompletiondir)'
	test -e '$(DESTDIR)$(configdir)/imd.yaml' || $(INSTALL_DATA) etc/imd.yaml.made '$(DESTDIR)$(configdir)/imd.yaml'
	$(INSTALL_DATA) etc/imd.sysusers '$(DESTDIR)$(sysusersdir)/imd.conf'
	$(INSTALL_DATA) etc/imd.tmpfiles '$(DESTDIR)$(tmpfilesdir)/imd.conf'
	$(INSTALL_DATA) etc/imd.logrotate '$(DESTDIR)$(logrotatedir)/imd'
	$(INSTALL_DATA) etc/imd.apparmor '$(DESTDIR)$(apparmordir)/imd'
	$(INSTALL_DATA) $(srcdir)/$(bashcompletion_files) '$(DESTDIR)$(bashcompletiondir)/imctl'

uninstall-local:
	if cmp -s etc/imd.yaml.made '$(DESTDIR)$(configdir)/imd.yaml'; then rm -f '$(DESTDIR)$(configdir)/imd.yaml'; fi
	test ! -d '$(DESTDIR)$(configdir)/imd.yaml.d' || rmdir '$(DESTDIR)$(configdir)/imd.yaml.d' || :
	test ! -d '$(DESTDIR)$(configdir)' || rmdir '$(DESTDIR)$(configdir)' || :
	rm -f '$(DESTDIR)$(sysusersdir)/imd.conf' '$(DESTDIR)$(tmpfilesdir)/imd.conf' '$(DESTDIR)$(logrotatedir)/imd' \
	  '$(DESTDIR)$(apparmordir)/imd' '$(DESTDIR)$(bashcompletiondir)/imctl'

# The folders that are ours alone go too, if nobody has put something there.
uninstall-hook:
	for folder in '$(docwhydir)' '$(docpagesdir)' '$(docdir)' '$(pkgdatadir)'; do \
	  test ! -d "$(DESTDIR)$$folder" || rmdir "$(DESTDIR)$$folder" || :; done
