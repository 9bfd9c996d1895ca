#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runCommand } from './cli/commands.ts'

/** Runs one command line (without `node` and the script). Resolves with the exit code: 0 ok, 1 configuration, 2 run time, 3 would change. */
export function main (argv: readonly string[]): Promise<number> {
  return runCommand(argv, {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => { process.stdout.write(text) },
    err: (text) => { process.stderr.write(text) },
    colour: process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined,
  })
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2))
}
