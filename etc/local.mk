EXTRA_DIST += \
	etc/imd.service.in \
	etc/imd.sysusers \
	etc/imd.tmpfiles \
	etc/imd.yaml

# Only a server that was built to tell systemd that it lives can be watched.
SERVICE_NOTIFY = `test $(SERVICE_TYPE) = notify && echo '-e s/^[@]NOTIFY@//' || echo '-e /^[@]NOTIFY@/d'`

systemdsystemunit_DATA = etc/imd.service
CLEANFILES += etc/imd.service
etc/imd.service: etc/imd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's|[@]bindir@|$(bindir)|g' -e 's|[@]sysconfdir@|$(sysconfdir)|g' \
	  -e 's|[@]SERVICE_TYPE@|$(SERVICE_TYPE)|g' $(SERVICE_NOTIFY) $(srcdir)/etc/imd.service.in >$@.tmp && mv $@.tmp $@

configdir = $(sysconfdir)/imd
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

# A configuration that is there already is somebody's: it stays, and is only removed while it is what we installed.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(configdir)' '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	test -e '$(DESTDIR)$(configdir)/imd.yaml' || $(INSTALL_DATA) $(srcdir)/etc/imd.yaml '$(DESTDIR)$(configdir)/imd.yaml'
	$(INSTALL_DATA) $(srcdir)/etc/imd.sysusers '$(DESTDIR)$(sysusersdir)/imd.conf'
	$(INSTALL_DATA) $(srcdir)/etc/imd.tmpfiles '$(DESTDIR)$(tmpfilesdir)/imd.conf'

uninstall-local:
	if cmp -s $(srcdir)/etc/imd.yaml '$(DESTDIR)$(configdir)/imd.yaml'; then \
	  rm -f '$(DESTDIR)$(configdir)/imd.yaml' && rmdir '$(DESTDIR)$(configdir)'; fi
	rm -f '$(DESTDIR)$(sysusersdir)/imd.conf' '$(DESTDIR)$(tmpfilesdir)/imd.conf'
