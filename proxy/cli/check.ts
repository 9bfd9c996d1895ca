import type { Command } from './command.ts'
import { configFile, configOption } from './config-file.ts'

export const check: Command = {
  name: 'check',
  doc: 'Check a configuration and print every problem with file, line and column. Exit code 0: it can run; 1: it cannot.',
  options: { config: configOption, json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options) {
    const file = configFile('check', shell, options)
    if (file === undefined) return 1
    const { loadConfig, printProblems } = await import('../../config/sentinel/index.ts')
    const { config, problems, sources } = await loadConfig(file, { env: shell.env })
    if (options['json'] === true) {
      shell.out(JSON.stringify({ ok: config !== undefined, problems }) + '\n')
      return config === undefined ? 1 : 0
    }
    const count = (severity: string): number => problems.filter((problem) => problem.severity === severity).length
    shell.out(printProblems(problems, sources, { colour: shell.colour }))
    shell.out(config === undefined
      ? `${file}: ${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}\n`
      : `${file}: ok (${plural(config.listeners.length, 'listener')}, ${plural(config.routes.length, 'route')}, ${plural(config.upstreams.length, 'upstream')}, ` +
        `${plural(config.agents.length, 'agent')}; ${plural(count('warning'), 'warning')})\n`)
    return config === undefined ? 1 : 0
  },
}

function plural (count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
