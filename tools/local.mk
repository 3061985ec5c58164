# The programs without their main(): what their tests link too.
noinst_LIBRARIES += tools/imd/libimd.a
tools_imd_libimd_a_SOURCES = \
	tools/safe_json.c tools/safe_json.h \
	tools/imd/admin.c tools/imd/admin.h \
	tools/imd/admin_bans.c \
	tools/imd/admin_commands.c \
	tools/imd/admin_config.c \
	tools/imd/admin_data.c \
	tools/imd/admin_doctor.c \
	tools/imd/admin_drain.c \
	tools/imd/admin_groups.c \
	tools/imd/admin_hooks.c \
	tools/imd/admin_imctl.c \
	tools/imd/admin_judge.c \
	tools/imd/admin_latency.c \
	tools/imd/admin_people.c \
	tools/imd/admin_say.c \
	tools/imd/admin_sessions.c \
	tools/imd/admin_store.c \
	tools/imd/admin_tail.c \
	tools/imd/admin_tokens.c \
	tools/imd/admin_users.c \
	tools/imd/admin_why.c \
	tools/imd/admin_workers.c \
	tools/imd/config_file.c tools/imd/config_file.h \
	tools/imd/config_write.c \
	tools/imd/daemon.c tools/imd/daemon.h \
	tools/imd/drain.h \
	tools/imd/filter.c tools/imd/filter.h \
	tools/imd/handover.c tools/imd/handover.h \
	tools/imd/hasher.c tools/imd/hasher.h \
	tools/imd/hook_record.c tools/imd/hook_record.h \
	tools/imd/hooks.c tools/imd/hooks.h \
	tools/imd/job.c tools/imd/job.h \
	tools/imd/judge.h \
	tools/imd/keys.c tools/imd/keys.h \
	tools/imd/log.c tools/imd/log.h \
	tools/imd/log_format.c \
	tools/imd/notify.c tools/imd/notify.h \
	tools/imd/outside.c tools/imd/outside.h \
	tools/imd/pages.c \
	tools/imd/probe.c tools/imd/probe.h \
	tools/imd/reload.c \
	tools/imd/rpc.c tools/imd/rpc.h \
	tools/imd/rpc_help.c \
	tools/imd/tail.h \
	tools/imd/trial.c tools/imd/trial.h \
	tools/imd/unix_users.c tools/imd/unix_users.h \
	tools/imd/upgrade.c tools/imd/upgrade.h \
	tools/imd/usage.c tools/imd/usage.h \
	tools/imd/workers.c
IM_IMD = tools/imd/libimd.a $(YAML_LIBS) $(LIBSYSTEMD_LIBS)

bin_PROGRAMS += tools/imd/imd
tools_imd_imd_SOURCES = tools/imd/main.c
tools_imd_imd_LDADD = $(IM_IMD) $(IM_WEB) $(IM_TRANSPORTS) $(IM_STORES) $(IM_CORE)

noinst_LIBRARIES += tools/imctl/libimctl.a
tools_imctl_libimctl_a_SOURCES = \
	tools/safe_json.c tools/safe_json.h \
	tools/imctl/client.c tools/imctl/client.h \
	tools/imctl/command.c tools/imctl/command.h \
	tools/imctl/complete.c tools/imctl/complete.h \
	tools/imctl/editor.c tools/imctl/editor.h \
	tools/imctl/export.c \
	tools/imctl/history.c tools/imctl/history.h \
	tools/imctl/options.c tools/imctl/options.h \
	tools/imctl/own.c tools/imctl/own.h \
	tools/imctl/run.c tools/imctl/run.h \
	tools/imctl/sample.c tools/imctl/sample.h \
	tools/imctl/screen.c tools/imctl/screen.h \
	tools/imctl/secret.c tools/imctl/secret.h \
	tools/imctl/shell.c tools/imctl/shell.h \
	tools/imctl/show.c tools/imctl/show.h \
	tools/imctl/split.c tools/imctl/split.h \
	tools/imctl/stat.c \
	tools/imctl/table.c tools/imctl/table.h \
	tools/imctl/top.c tools/imctl/top.h \
	tools/imctl/top_draw.c \
	tools/imctl/upgrade.c \
	tools/imctl/wait.c \
	tools/imd/admin_imctl.c \
	tools/imd/rpc.c tools/imd/rpc.h \
	tools/imd/rpc_help.c
IM_IMCTL = tools/imctl/libimctl.a $(LIBEDIT_LIBS)

bin_PROGRAMS += tools/imctl/imctl
tools_imctl_imctl_SOURCES = tools/imctl/main.c
tools_imctl_imctl_LDADD = $(IM_IMCTL) $(IM_CORE)

noinst_LIBRARIES += tools/imbench/libimbench.a
tools_imbench_libimbench_a_SOURCES = \
	tools/imbench/check.c tools/imbench/check.h \
	tools/imbench/client.c tools/imbench/client.h \
	tools/imbench/deflate.c tools/imbench/deflate.h \
	tools/imbench/hist.c tools/imbench/hist.h \
	tools/imbench/net.c tools/imbench/net.h \
	tools/imbench/options.c tools/imbench/options.h \
	tools/imbench/proc.c tools/imbench/proc.h \
	tools/imbench/progress.c tools/imbench/progress.h \
	tools/imbench/report.c tools/imbench/report.h \
	tools/imbench/run.c tools/imbench/run.h \
	tools/imbench/scenario.c tools/imbench/scenario.h \
	tools/imbench/svg.c \
	tools/imbench/tls.c tools/imbench/tls.h \
	tools/imbench/wire.c tools/imbench/wire.h
IM_IMBENCH = tools/imbench/libimbench.a $(OPENSSL_LIBS) $(ZLIB_LIBS) -lm

bin_PROGRAMS += tools/imbench/imbench
tools_imbench_imbench_SOURCES = tools/imbench/main.c
tools_imbench_imbench_LDADD = $(IM_IMBENCH) $(IM_CORE)
