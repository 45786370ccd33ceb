// The package as npm hands it out: packed, and installed from the tarball into apps of a user's kind.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { folders } from "../../pkg-scripts/folders.mjs";

const { root, pkg } = folders();
const SOURCE = fileURLToPath(new URL("app", import.meta.url));

/** A folder that goes when the tests end. */
const work = mkdtempSync(join(tmpdir(), "ia3-web-npm-"));
after(() => rmSync(work, { recursive: true, force: true }));

const npm = (cwd, ...args) => execFileSync("npm", [...args, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd, encoding: "utf8" });

/** What `npm pack` says of the tarball: its file name and the files in it. */
export const [packed] = JSON.parse(npm(work, "pack", pkg, "--json", "--pack-destination", work));

/** @returns the folder of an app that has the package installed and nothing else */
function installed(name) {
  const folder = join(work, name);
  mkdirSync(folder);
  cpSync(SOURCE, folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  npm(folder, "install", join(work, packed.filename));
  return folder;
}

let plain;

/** @returns the folder of a page without a bundler, to be served as it is */
export function plainPage() {
  return (plain ??= installed("plain"));
}

/** @returns the folder that Vite's production build of an app writes */
export function viteApp() {
  const folder = installed("bundled");
  rmSync(join(folder, "plain.html"));
  rmSync(join(folder, "plain.js"));
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  execFileSync(process.execPath, [vite, "build", "--logLevel", "warn", folder], { stdio: ["ignore", "ignore", "inherit"] });
  return join(folder, "dist");
}

/** The contents of a file below tests/fixtures. */
export const fixture = (name) => readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));

/** A chat template for the tiny BERT's tokens. */
const TEMPLATE = "{% for m in messages %}{{ cls_token + ' ' + m.content + ' ' + sep_token + '\\n' }}{% endfor %}";

/**
 * @returns a folder with the files of a tiny model of `family`; the tokenizer is the tiny BERT's, whose vocabulary is as large, and
 * knows a chat template
 */
export function familyFolder(family) {
  const folder = join(work, family);
  cpSync(fileURLToPath(new URL(`../fixtures/families/${family}`, import.meta.url)), folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), fixture("tiny-bert/tokenizer.json"));
  const tokens = { cls_token: "[CLS]", sep_token: "[SEP]", added_tokens_decoder: {} };
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(tokens));
  writeFileSync(join(folder, "chat_template.jinja"), TEMPLATE);
  return folder;
}
