import { runningOptions } from './ask-running.ts'
import type { Command, OptionValues } from './command.ts'
import { followRunning } from './follow-running.ts'
import { filterOptions } from './tail.ts'
import { tailFilter } from './tail-filter.ts'

export const record: Command = {
  name: 'record',
  doc: 'Write down what agents of the running proxy are asked and what they decide, for sentinel replay. Without secrets and bodies, unless the options say otherwise. Ends with --for, --max or Ctrl-C.',
  options: {
    out: { type: 'string', short: 'o', value: 'FILE', doc: 'Where to: a new file that only you may read; - for the standard output. Without it cases.jsonl.' },
    for: { type: 'string', value: 'TIME', doc: 'How long: 60s, 10m.' },
    max: { type: 'string', value: 'N', doc: 'So many exchanges at the most. Without it 10000.' },
    'max-bytes': { type: 'string', value: 'SIZE', doc: 'So much at the most. Without it 256MiB.' },
    bodies: { type: 'boolean', doc: 'With bodies that agents were shown, but for the values of fields whose names are those of secrets, and what cannot be looked into.' },
    'max-body': { type: 'string', value: 'SIZE', doc: 'Leave out bodies that are longer. Without it 64KiB; 256KiB at the most.' },
    unredacted: { type: 'boolean', doc: 'With everything as it was: passwords, cookies, tokens and bodies of your clients stand in the file. Only whoever could be trusted with those may have it.' },
    ...filterOptions,
    ...runningOptions,
  },
  async run (shell, options) {
    const terms = await termsOf(options)
    if (typeof terms === 'string') {
      shell.err(`sentinel record: ${terms}.\n`)
      return 2
    }
    const { openCases } = await import('./case-file.ts')
    const file = String(options['out'] ?? 'cases.jsonl')
    const sink = openCases(shell, file, terms.asked)
    if (typeof sink === 'string') {
      shell.err(`sentinel record: ${sink}\n`)
      return 2
    }
    if (terms.asked.unredacted) shell.err('sentinel record: nothing is taken out: secrets of your clients will stand in the file as they were sent\n')
    const enough = new AbortController()
    const stop = (): void => enough.abort()
    const timer = terms.forMs === undefined ? undefined : setTimeout(stop, terms.forMs)
    for (const signal of endings) process.once(signal, stop)
    try {
      const code = await followRunning('record', shell, options, {
        path: '/record', body: { ...terms.filter, ...terms.asked }, signal: enough.signal,
        onLine (line) {
          if (enough.signal.aborted) return false
          const more = sink.take(line)
          if (sink.broken !== undefined || sink.cases >= terms.max || sink.bytes >= terms.maxBytes) stop()
          return more
        },
      })
      sink.end()
      if (sink.broken !== undefined) shell.err(`sentinel record: ${file} cannot be written any more: ${sink.broken}\n`)
      if (!sink.begun && code === 0) {
        shell.err('sentinel record: nothing is recorded: the proxy has not begun to answer\n')
        return 2
      }
      if (sink.begun) shell.err(`${said(sink.cases, sink.lost)}${file === '-' ? '' : `: ${file}`}\n`)
      return sink.broken === undefined ? code : 2
    } finally {
      clearTimeout(timer)
      for (const signal of endings) process.off(signal, stop)
    }
  },
}

/** SIGHUP: its terminal was closed. The file is whole all the same. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function said (cases: number, lost: number): string {
  const kept = `${cases} ${cases === 1 ? 'exchange is' : 'exchanges are'} recorded`
  return lost === 0 ? kept : `${kept}, ${lost} more ${lost === 1 ? 'was' : 'were'} not: too much came at once, or was too large`
}

interface Terms {
  readonly filter: object
  readonly asked: { readonly bodies: boolean, readonly unredacted: boolean, readonly max_body_bytes: number }
  readonly forMs: number | undefined
  readonly max: number
  readonly maxBytes: number
}

async function termsOf (options: OptionValues): Promise<Terms | string> {
  const { parseDuration, parseSize } = await import('../../config/schema/index.ts')
  const { longestBody } = await import('../control/index.ts')
  const filter = tailFilter(options)
  if (typeof filter === 'string') return filter
  const { for: time, max = '10000', 'max-bytes': size = '256MiB', 'max-body': body = '64KiB' } = options
  const forMs = time === undefined ? undefined : parseDuration(String(time))
  if (time !== undefined && (forMs === undefined || forMs === 0 || forMs > 2_147_483_647)) return `'${String(time)}' is no time: write 60s or 10m`
  if (!/^[1-9]\d{0,8}$/.test(String(max))) return `'${String(max)}' is no number of exchanges`
  const [maxBytes, maxBody] = [parseSize(String(size)), parseSize(String(body))]
  if (maxBytes === undefined || maxBody === undefined) return `'${String(maxBytes === undefined ? size : body)}' is no size: write 64KiB or 1MiB`
  if (maxBody > longestBody) return `of one body at most ${longestBody / 1024}KiB can be recorded, not ${String(body)}`
  const unredacted = options['unredacted'] === true
  return { filter, asked: { bodies: options['bodies'] === true || unredacted, unredacted, max_body_bytes: maxBody }, forMs, max: Number(max), maxBytes }
}
