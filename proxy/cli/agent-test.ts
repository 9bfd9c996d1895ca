import { resolve } from 'node:path'
import type { Command, Shell } from './command.ts'

export const agentTest: Command = {
  name: 'agent test',
  doc: 'Run the tests of an agent: all *.test.ts and *.test.js of this folder, or those that are named. Exit code 0: all passed; 1: not all did.',
  arguments: '[FILE…]',
  options: {
    watch: { type: 'boolean', short: 'w', doc: 'Run them again whenever a file of the folder changes.' },
    only: { type: 'string', value: 'PATTERN', doc: 'Those alone whose name fits this expression.' },
  },
  async run (shell, options, args) {
    const { existsSync } = await import('node:fs')
    const { isTest, sourcesOf } = await import('./agent/find-tests.ts')
    const named = args.map((file) => resolve(shell.cwd, file))
    const missing = named.find((file) => !existsSync(file))
    if (missing !== undefined) return refuse(shell, `${missing} does not exist.`)
    const files = (): string[] => named.length > 0 ? named : sourcesOf(shell.cwd).filter(isTest)
    if (files().length === 0) return refuse(shell, `there is no *.test.ts and no *.test.js in ${shell.cwd}.`)
    const { only } = options
    if (typeof only === 'string' && !isExpression(only)) return refuse(shell, `--only takes a regular expression, and ${JSON.stringify(only)} is none.`)
    const flags = typeof only === 'string' ? [`--test-name-pattern=${only}`] : []
    if (options['watch'] !== true) return runTests(shell, flags, files())
    return watchTests(shell, flags, files)
  },
}

function isExpression (text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}

function refuse (shell: Shell, why: string): number {
  shell.err(`sentinel agent test: ${why}\nTry: sentinel agent test --help\n`)
  return 2
}

async function runTests (shell: Shell, flags: readonly string[], files: readonly string[]): Promise<number> {
  const { runNode } = await import('./agent/run-node.ts')
  const { packageFile } = await import('../lifecycle/package-file.ts')
  const { pathToFileURL } = await import('node:url')
  // A test that runs this command is a test run of its own for Node, which would run nothing then.
  const { NODE_TEST_CONTEXT: _ofOthers, ...env } = shell.env
  const hooks = pathToFileURL(packageFile('dist', 'sdk', 'run', 'typescript.js')).href
  return runNode(['--import', hooks, '--test', '--test-reporter=spec', ...flags, ...files], { cwd: shell.cwd, env })
}

async function watchTests (shell: Shell, flags: readonly string[], files: () => readonly string[]): Promise<number> {
  const { relative } = await import('node:path')
  const { sourcesOf } = await import('./agent/find-tests.ts')
  const { watchFiles } = await import('./agent/watch-files.ts')
  let changed: (file: string | undefined) => void = () => {}
  let last: string | undefined
  const watch = watchFiles((file) => {
    last = file
    changed(file)
  })
  const stop = (): void => changed(undefined)
  let isOver = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isOver = true
      stop()
    })
  }
  try {
    for (;;) {
      last = undefined
      watch.follow(sourcesOf(shell.cwd), true)
      const code = await runTests(shell, flags, files())
      if (isOver) return code
      shell.out('waiting for a change; Ctrl-C ends\n')
      const file = last ?? await new Promise<string | undefined>((resolve) => { changed = resolve })
      if (file === undefined || isOver) return code
      shell.out(`\n${relative(shell.cwd, file)} changed\n`)
    }
  } finally {
    watch.close()
  }
}
