#!/bin/sh
# The documents agree with the tables and with each other. Run by make check in the build directory.
set -u
srcdir=${srcdir:-.}
failed=0
fail() {
    echo "check_docs: $*" >&2
    failed=1
}

# The reference is what the tables say.
tmp=$(mktemp) || exit 99
trap 'rm -f "$tmp"' EXIT
doc/gen_tables markdown <"$srcdir/doc/reference.md.in" >"$tmp" || fail "doc/gen_tables failed"
diff -u "$srcdir/doc/reference.md" "$tmp" || fail "doc/reference.md is out of date: make update-reference"
doc/gen_schema >"$tmp" || fail "doc/gen_schema failed"
diff -u "$srcdir/doc/im.v1.schema.json" "$tmp" || fail "doc/im.v1.schema.json is out of date: make update-reference"

# Links lead somewhere. An anchor must be a heading of the page it is on.
slugs() { # of the headings in a page, as renderers make them
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | tr -d '.,:`?!()/' | tr ' ' '-'
}
check_link() { # PAGE LINK
    case $2 in
    http://127.0.0.1:*) return ;;
    http:* | https:*) fail "$1: points outside the tree: $2" && return ;;
    \#*) target=$1 ;;
    *) target=$(dirname "$1")/${2%%#*} ;;
    esac
    [ -e "$target" ] || { fail "$1: no such file: $2" && return; }
    case $2 in
    *\#*) slugs "$target" | grep -qxF -e "${2#*#}" || fail "$1: no such heading: $2" ;;
    esac
}
for page in "$srcdir"/README.md "$srcdir"/README.zh-CN.md "$srcdir"/doc/*.md "$srcdir"/doc/why/*.md; do
    grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//' >"$tmp"
    while read -r link; do
        check_link "$page" "$link"
    done <"$tmp"
done

# Manual pages are well-formed.
if command -v mandoc >/dev/null; then
    for page in "$srcdir"/doc/imd.8 "$srcdir"/doc/imbench.1 doc/imctl.1 doc/imd.yaml.5 doc/im-protocol.7; do
        mandoc -Tlint -W warning "$page" || fail "$page: see above"
    done
fi
exit $failed
