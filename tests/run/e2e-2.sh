#!/bin/sh
exec "$(dirname "$0")/pytest" e2e --part 2/3
