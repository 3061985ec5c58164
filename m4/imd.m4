# IM_NEED(PACKAGE): remembers a Debian package that has to be installed; configure names all of them at once.
AC_DEFUN([IM_NEED], [AS_CASE([" $im_missing "], [*" $1 "*], [], [im_missing="$im_missing $1"])])

# IM_PKG(VARIABLE, MODULE [>= VERSION], PACKAGE): a required library.
AC_DEFUN([IM_PKG], [
  AS_IF([test -n "$PKG_CONFIG"],
    [PKG_CHECK_MODULES([$1], [$2], [], [IM_NEED([$3])])],
    [IM_NEED([$3])])])

# IM_PKG_OPTIONAL(VARIABLE, MODULE, PACKAGE, NAME, PURPOSE): --with-NAME=auto|yes|no, HAVE_VARIABLE, im_with_NAME.
AC_DEFUN([IM_PKG_OPTIONAL], [
  AC_ARG_WITH([$4], [AS_HELP_STRING([--with-$4], [$5 (default: when $3 is installed)])], [], [with_$4=auto])
  im_with_$4="no"
  AS_IF([test "$with_$4" != no && test -n "$PKG_CONFIG"], [
    PKG_CHECK_MODULES([$1], [$2],
      [AC_DEFINE([HAVE_$1], [1], [Define to 1 when $2 is there.])
       im_with_$4="yes"],
      [im_with_$4="no (needs $3)"])])
  AS_IF([test "$with_$4" = yes && test "$im_with_$4" != yes], [IM_NEED([$3])])])

# IM_CC_FLAGS(VARIABLE, FLAGS): appends each flag that the compiler takes without a complaint.
AC_DEFUN([IM_CC_FLAGS], [
  for im_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([im_cache], [im_cv_cc_$im_flag])
    AC_CACHE_CHECK([whether $CC takes $im_flag], [im_cache], [
      im_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror $im_flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([im_cache], [yes])], [AS_VAR_SET([im_cache], [no])])
      CFLAGS=$im_saved_CFLAGS])
    AS_VAR_IF([im_cache], [yes], [$1="$$1 $im_flag"])
    AS_VAR_POPDEF([im_cache])
  done])

# IM_LD_FLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([IM_LD_FLAGS], [
  for im_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([im_cache], [im_cv_ld_$im_flag])
    AC_CACHE_CHECK([whether the linker takes $im_flag], [im_cache], [
      im_saved_LDFLAGS=$LDFLAGS
      LDFLAGS="$LDFLAGS $im_flag"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([im_cache], [yes])], [AS_VAR_SET([im_cache], [no])])
      LDFLAGS=$im_saved_LDFLAGS])
    AS_VAR_IF([im_cache], [yes], [$1="$$1 $im_flag"])
    AS_VAR_POPDEF([im_cache])
  done])

# IM_DIR(NAME, WHAT, DEFAULT): --with-NAME=DIR, a place to install something in.
AC_DEFUN([IM_DIR], [
  AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [$2 (default: $3)])], [], [with_$1='$3'])
  AC_SUBST([$1], [$with_$1])])
