#!/usr/bin/env bash
# Compares the environment of the running containers with their contract; reports each breach once.
set -euo pipefail
DIRECTUS_URL="${DIRECTUS_URL:-http://127.0.0.1:8055}"

report_issue() {
  local hash="$1" title="$2" found
  found=$(curl -sf -H "Authorization: Bearer $DIRECTUS_TOKEN" \
    "$DIRECTUS_URL/items/system_issues?filter[violation_hash][_eq]=$hash&filter[status][_eq]=open&limit=1" | jq '.data | length')
  if [ "$found" -eq 0 ]; then
    curl -sf -X POST "$DIRECTUS_URL/items/system_issues" \
      -H "Authorization: Bearer $DIRECTUS_TOKEN" -H "Content-Type: application/json" \
      -d "{\"violation_hash\": \"$hash\", \"title\": \"$title\", \"status\": \"open\", \"issue_class\": \"env_contract\"}"
  fi
}

hash=$(printf '%s' "env:$1" | sha256sum | cut -c1-16)
report_issue "$hash" "missing variable $1"
