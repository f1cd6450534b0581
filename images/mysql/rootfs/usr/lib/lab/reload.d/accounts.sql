#!/bin/sh
# Every node carries these statements out for itself (sql_log_bin = 0), here as at its start: no client notices. One that
# does not run reads them when it starts.
set -eu
! mariadb --execute 'SELECT 1' > /dev/null 2>&1 || mariadb < /etc/lab/accounts.sql
