#!/usr/bin/env bash
# Builds the pages' scripts and the chart's style into www/dist/: one script for each `dist/NAME.js` that an HTML file of
# www/ loads. The package itself stays a file of its own, imported from ../pkg/ at run time, so that the pages use exactly
# what is published.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PAGE="$ROOT/www"
mapfile -t ENTRIES < <(sed -n "s|.*src=\"dist/\([a-z-]*\)\.js\".*|$PAGE/src/\1.ts|p" "$PAGE"/*.html | sort -u)

rm -rf "$PAGE/dist"
logged build-page esbuild "${ENTRIES[@]}" --bundle --minify --format=esm --target=es2022 \
  --alias:ia3-web=../pkg/index.js --external:../pkg/index.js \
  --alias:ia3-web-glue=../pkg/ia3_web.js --external:../pkg/ia3_web.js \
  --outdir="$PAGE/dist" --legal-comments=eof
for script in "$PAGE"/dist/*.js; do
  say "page: $(basename "$script"), $(gzip -9 -c "$script" | wc -c) bytes gzipped"
done
