import type { KeptFacts, Purge } from '../pipeline/kept-answers.ts'
import { jsonText } from '../observe/quote.ts'
import { askRunning, errorOf, lookMs, runningOptions } from './ask-running.ts'
import type { Command, CommandOption, OptionValues } from './command.ts'

const ways: Readonly<Record<Exclude<Purge['by'], 'url'>, CommandOption>> = {
  prefix: { type: 'boolean', doc: 'Of all addresses that begin so.' },
  glob: { type: 'boolean', doc: 'Of addresses with * for any part of a segment and ** for any number of segments.' },
  tag: { type: 'boolean', doc: 'That the upstream marked with this word (`Surrogate-Key`, `Cache-Tag`).' },
  all: { type: 'boolean', doc: 'All of them; without WHAT.' },
}

export const cachePurge: Command = {
  name: 'cache purge',
  doc: 'Let go of kept answers, in all workers. WHAT is a path as clients ask for it: with its query that one answer, without it those to all queries.',
  arguments: '[WHAT]',
  options: { ...ways, host: { type: 'string', value: 'HOST', doc: 'Only of this host, with the port where clients name one.' }, ...runningOptions },
  async run (shell, options, [value, ...more]) {
    const by = wayOf(options)
    if (by === undefined || more.length > 0 || (value === undefined) !== (by === 'all')) {
      shell.err('sentinel cache purge: exactly one WHAT is needed, or --all, and at most one of --prefix, --glob and --tag.\nTry: sentinel cache purge --help\n')
      return 2
    }
    const host = options['host']
    const what: Purge = { by, value: value ?? '', ...typeof host === 'string' ? { host } : {} }
    const answer = await askRunning('cache purge', shell, options, { method: 'POST', path: '/cache/purge', body: what })
    if (answer === undefined) return 2
    if (answer.status !== 200) {
      shell.err(`sentinel cache purge: ${errorOf(answer)}\n`)
      return 2
    }
    const { purged } = answer.body as { readonly purged: number }
    shell.out(`${purged} kept ${purged === 1 ? 'answer is' : 'answers are'} gone\n`)
    return 0
  },
}

function wayOf (options: OptionValues): Purge['by'] | undefined {
  const given = (Object.keys(ways) as Array<keyof typeof ways>).filter((way) => options[way] === true)
  return given.length > 1 ? undefined : given[0] ?? 'url'
}

export const cacheStats: Command = {
  name: 'cache stats',
  doc: 'Show what is kept of answers, and how often it was of use.',
  options: { json: { type: 'boolean', doc: 'As JSON.' }, ...runningOptions },
  async run (shell, options) {
    const answer = await askRunning('cache stats', shell, options, { method: 'GET', path: '/cache', patienceMs: lookMs })
    if (answer === undefined) return 2
    if (answer.status !== 200) {
      shell.err(`sentinel cache stats: ${errorOf(answer)}\n`)
      return 2
    }
    const facts = answer.body as KeptFacts
    shell.out(options['json'] === true ? `${jsonText(facts)}\n` : shown(facts))
    return 0
  },
}

function shown ({ hits, misses, stores, evictions, memory, disk }: KeptFacts): string {
  const asked = hits + misses
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['given', `${hits} of ${asked}${asked === 0 ? '' : ` (${Math.round(hits / asked * 100)} %)`}`],
    ['kept', `${stores}, ${evictions} of them made room for others`],
    ['in memory', `${memory.entries} answers, ${memory.bytes} bytes`],
    ['on disk', `${disk.entries} answers, ${disk.bytes} bytes`],
  ]
  return rows.map(([name, text]) => `${name.padEnd(11)}${text}\n`).join('')
}
