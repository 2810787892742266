#!/usr/bin/env node
// Plain JavaScript that any Node can read: finds the command line (sources in a checkout, else what was built), and a Node
// new enough to run it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const sources = new URL('src/cli/main.ts', root);
const built = new URL('dist/src/cli/main.js', root);
const main = existsSync(sources) ? sources : built;

// 22.18: reads TypeScript, and has node:sqlite without a flag.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  if (major < 24) hideExperimentalWarnings();
  await import(main.href);
} else {
  runWith(findNode());
}

/** Node 22 says at every start that it reads TypeScript, and SQLite, for the first time. */
function hideExperimentalWarnings() {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
}

/** Runs the command line in another Node, which gets the signals and whose end is this process's end. */
function runWith(node) {
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(main), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child as well, and to get it twice means something else.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.once('error', (error) => {
    process.stderr.write(`${node} could not be run: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}

/** The one of the checkout's dev dependencies, else one that npm fetches into its cache. */
function findNode() {
  const local = fileURLToPath(new URL('node_modules/node/bin/node', root));
  if (existsSync(local)) return local;
  process.stderr.write(
    `durable-extract needs Node 22.18 or newer, and this is ${process.versions.node}: using Node 24 from the npm registry\n`,
  );
  const npm = spawnSync(
    'npm',
    ['exec', '--yes', '--package=node@24', '--', 'node', '-p', 'process.execPath'],
    { encoding: 'utf8', shell: process.platform === 'win32' },
  );
  const found = npm.stdout?.trim();
  if (npm.status === 0 && found) return found;
  process.stderr.write(
    `Node 24 could not be fetched: ${npm.stderr?.trim() ?? npm.error?.message}\nInstall Node 22.18 or newer and try again.\n`,
  );
  process.exit(1);
}
