#!/bin/sh
exec "$(dirname "$0")/pytest" conform/rfc6455
