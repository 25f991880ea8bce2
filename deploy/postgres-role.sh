#!/bin/sh
# Runs once, in a new data folder: the application's role owns its database and is no superuser.
set -eu
psql --no-psqlrc -v ON_ERROR_STOP=1 -v password="$APPLICATION_PASSWORD" -U "$POSTGRES_USER" -d postgres <<'SQL'
CREATE ROLE infra_mind WITH LOGIN NOSUPERUSER PASSWORD :'password';
CREATE DATABASE infra_mind OWNER infra_mind;
SQL
