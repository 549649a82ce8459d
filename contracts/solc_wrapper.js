// Speaks the native compiler's command line over npm's solc, so that py-solc-x and forge can use it.
"use strict";
const fs = require("fs");
const solc = require("solc");

// A pipe takes 64 KiB at a time: write until everything is out, or the JSON arrives cut.
function writeAll(text) {
  const bytes = Buffer.from(text, "utf8");
  let done = 0;
  while (done < bytes.length) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

if (process.argv.includes("--version")) {
  const version = solc.version().replace(/\.Emscripten\.clang$/, ".Linux.g++");
  writeAll(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (process.argv.includes("--standard-json")) {
  writeAll(solc.compile(fs.readFileSync(0, "utf8")));
} else {
  process.stderr.write("solc_wrapper: only --version and --standard-json are understood\n");
  process.exitCode = 1;
}
