#!/bin/sh
exec "$(dirname "$0")/pytest" e2e --part 1/3
