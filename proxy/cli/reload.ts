import { readFileSync } from 'node:fs'
import type { Problem } from '../../config/sentinel/index.ts'
import type { Answered, Plan, PlanOutcome, Refused, ReloadOutcome } from '../control/index.ts'
import { jsonText } from '../observe/quote.ts'
import { askRunning, errorOf, runningOptions } from './ask-running.ts'
import type { Command, Shell } from './command.ts'
import { duration } from './paint.ts'

export const reload: Command = {
  name: 'reload',
  doc: 'Have the running proxy take over what its configuration says now, and wait for it. Exit code 0: done; 1: the configuration has errors; 2: refused, or nobody runs.',
  options: {
    ...runningOptions,
    'dry-run': { type: 'boolean', short: 'n', doc: 'Only tell what would change, and what it would end. Exit code 0: nothing; 3: something; 1 and 2 as without it.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options) {
    const dry = options['dry-run'] === true
    const answer = await askRunning('reload', shell, options, dry ? { method: 'GET', path: '/plan' } : { method: 'POST', path: '/reload' })
    if (answer === undefined) return 2
    const outcome = answer.body as ReloadOutcome | PlanOutcome // Both ends are of this program.
    if (options['json'] === true) shell.out(`${jsonText(outcome)}\n`)
    if (!outcome.ok) return sayRefused(shell, answer, outcome, options['json'] === true)
    if ('changes' in outcome) return sayPlan(shell, outcome, options['json'] === true)
    if (options['json'] !== true) shell.out(outcome.changed ? `configuration taken over (version ${outcome.version})\n` : `read anew; the configuration says what it said before (version ${outcome.version})\n`)
    return 0
  },
}

async function sayRefused (shell: Shell, answer: Answered, { problems = [] }: Partial<Refused>, silent: boolean): Promise<number> {
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) {
    if (!silent) shell.err(`sentinel reload: nothing was changed: ${errorOf(answer)}\n`)
    return 2
  }
  const { printProblems } = await import('../../config/sentinel/index.ts')
  if (!silent) {
    shell.err(printProblems(problems, textsOf(problems), { colour: shell.colour }))
    shell.err(`sentinel reload: the configuration has ${errors.length === 1 ? '1 error' : `${errors.length} errors`}; the old one stays.\n`)
  }
  return 1
}

/** The proxy has just read the same files. */
function textsOf (problems: readonly Problem[]): Map<string, string> {
  const texts = new Map<string, string>()
  for (const { position: { file } } of problems) {
    try {
      texts.set(file, readFileSync(file, 'utf8'))
    } catch {
      // It is shown without its lines.
    }
  }
  return texts
}

async function sayPlan (shell: Shell, plan: Plan, silent: boolean): Promise<number> {
  const { file, changes, restart, agents, cuts } = plan
  if (!silent) {
    const { printDiff } = await import('./print-diff.ts')
    shell.out(printDiff({ files: { old: file, new: file }, names: { old: 'running', new: file }, changes, restart, agents }, shell.colour))
    if (changes.length > 0) shell.out(cutsText(cuts))
  }
  if (restart.some(({ reload: effect }) => effect === 'refused')) return 2
  return changes.length === 0 ? 0 : 3
}

export function cutsText ({ graceMs, connections, exchanges }: Plan['cuts']): string {
  const total = [...connections, ...exchanges].reduce((sum, { open }) => sum + open, 0)
  if (total === 0) return 'Nothing that is open now would be cut.\n'
  return `Cut unless it ends within ${duration(graceMs)}:\n` +
    connections.map(({ listener, open }) => `  ${open === 1 ? '1 connection' : `${open} connections`} of listener '${listener}'\n`).join('') +
    exchanges.map(({ upstream, target, open }) => `  ${open === 1 ? '1 exchange or stream' : `${open} exchanges and streams`} with ${target} of upstream '${upstream}'\n`).join('')
}
