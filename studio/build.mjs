// Builds the page's script and style sheet, with the licences of what is in them.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "..", "policy_cache", "studio", "static");

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { studio: "src/main.js" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  outdir: out,
  metafile: true,
});
await build({ absWorkingDir: here, entryPoints: ["src/studio.css"], minify: true, outdir: out });

const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json")));
  return `${name} ${version}\n\n${readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim()}\n`;
});
writeFileSync(join(out, "licenses.txt"), licences.join("\n---\n\n"));

// What was built of what; a test holds the files to it.
const digest = (folder, names) =>
  Object.fromEntries(names.map((name) => [name, createHash("sha256").update(readFileSync(join(folder, name))).digest("hex")]));
const sources = ["build.mjs", "package-lock.json", "package.json", ...readdirSync(join(here, "src")).map((name) => `src/${name}`)];
const made = { sources: digest(here, sources.sort()), files: digest(out, ["licenses.txt", "studio.css", "studio.js"]) };
writeFileSync(join(out, "build.json"), `${JSON.stringify(made, null, 2)}\n`);
