import type { Decided } from '../../../proto/workbench.ts'
import { printable } from '../../observe/quote.ts'
import { painter } from '../paint.ts'

/** What `sentinel agent dev` shows. Nothing that came from a request or an agent can steer the terminal. */
export interface DevScreen {
  started (about: { readonly name: string, readonly url: string, readonly files: readonly string[], readonly upstream: string | undefined }): void
  decided (decided: Decided): void
  reloaded (files: readonly string[], ms: number): void
  failed (why: string, keeps: boolean): void
  logged (level: string, text: string): void
  /** What the agent writes on its own. */
  line (text: string): void
  trouble (text: string): void
  note (text: string): void
}

export function devScreen (out: (text: string) => void, colour: boolean): DevScreen {
  const paint = painter(colour)
  const lines = (text: string, dress: (line: string) => string): void => {
    out(text.trimEnd().split('\n').map((line) => `${dress(printable(line))}\n`).join(''))
  }
  return {
    started ({ name, url, files, upstream }) {
      out(`${paint.bold(printable(name))} decides about every request to ${paint.bold(url)}\n` +
        `  behind it: ${upstream === undefined ? 'an application that answers with what it received' : printable(upstream)}\n` +
        `  watched: ${printable(files.join(', '))}\n` +
        `  try: curl -i ${url}\n` +
        `${paint.dim('  A file that is saved counts for the next request. Ctrl-C ends everything.')}\n\n`)
    },
    decided: (decided) => out(decisionLine(decided, colour)),
    reloaded: (files, ms) => out(`${paint.good('reloaded')} ${printable(files.join(', '))} in ${Math.round(ms)}ms\n`),
    failed (why, keeps) {
      lines(why, paint.bad)
      out(keeps ? `${paint.warn('  the code from before keeps running')}\n` : `${paint.warn('  nothing runs yet: it is tried again when a file changes')}\n`)
    },
    logged: (level, text) => lines(`${level}: ${text}`, level === 'error' ? paint.bad : level === 'warn' ? paint.warn : paint.dim),
    line: (text) => lines(text, (line) => `${paint.dim('|')} ${line}`),
    trouble: (text) => lines(`the proxy: ${text}`, paint.warn),
    note: (text) => lines(text, paint.dim),
  }
}

const pathWidth = 28
const decisionWidth = 14

/** One answer on one line: what was asked, what was decided and why, what is changed, how long it took. */
export function decisionLine ({ method, path, about, decision, status, reason, edits, ms }: Decided, colour: boolean): string {
  const paint = painter(colour)
  const text = `${decision}${status === 0 ? '' : ` ${status}`}${about === 'request' ? '' : ` (${about})`}`
  const dress = decision === 'error' || decision === 'block' ? paint.bad : decision === 'allow' ? paint.good : paint.warn
  const parts = [
    `${printable(method).padEnd(6)} ${paint.bold(printable(path).padEnd(pathWidth))}`,
    dress(printable(text).padEnd(decisionWidth)),
    ...reason === '' ? [] : [printable(reason)],
    ...edits.length === 0 ? [] : [printable(edits.join(' · '))],
    paint.dim(`${ms >= 100 ? Math.round(ms) : Math.round(ms * 10) / 10}ms`),
  ]
  return `${parts.join('  ')}\n`
}
