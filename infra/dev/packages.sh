#!/usr/bin/env bash
# The Go packages to test, as arguments of go test: packages.sh all | unit | stores
# stores are those whose tests start a PostgreSQL: internal/pg, and what imports it, tenantdb or the schema in a test. unit is the
# rest. Neither holds e2e, nor what is generated. Fails rather than print a list that is not whole.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
list=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./...)
printf '%s\n' "$list" | awk -v want="${1:-all}" '
	$1 == "trunkline" || $1 ~ /\/node_modules\// || $1 ~ /^trunkline\/(e2e|proto\/gen)(\/|$)/ { next }
	{
		store = $1 ~ /^trunkline\/internal\/pg(\/|$)/ || / trunkline\/(internal\/pg|tenants\/tenantdb|cloud\/schema)( |\/|$)/
		if (want == "all" || (want == "stores") == store) print $1
	}'
