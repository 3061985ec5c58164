#!/bin/sh
exec "$(dirname "$0")/pytest" fault
