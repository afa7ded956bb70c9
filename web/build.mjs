// Bundles the page's script and style into the folder named, with the licences of what went in.
// usage: node build.mjs FOLDER
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2];
if (!folder) {
  console.error("usage: node build.mjs FOLDER");
  process.exit(2);
}

const result = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx" },
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome109", "firefox115", "safari16.4"],
  charset: "ascii",
  legalComments: "none",
  metafile: true,
  write: false,
  outdir: "out",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});

mkdirSync(folder, { recursive: true });
for (const file of result.outputFiles) {
  // Neither may end the tag that it will stand in.
  writeFileSync(join(folder, file.path.endsWith(".css") ? "page.css" : "page.js"), file.text.replace(/<\/(script|style)/gi, "<\\/$1"));
}

const packages = new Set();
for (const path of Object.keys(result.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
  if (found) packages.add(found[1]);
}
const texts = [...packages].sort().map((name) => {
  const home = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const file = readdirSync(home).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(join(home, file), "utf8").trim() : `Licence: ${license}`;
  return `${name} ${version} (${license})\n${"-".repeat(72)}\n${text}\n`;
});
writeFileSync(join(folder, "LICENSES.txt"), `page.js and page.css contain these packages.\n\n${texts.join("\n\n")}`);
