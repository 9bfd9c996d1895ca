import { printable } from './quote.ts'

const names: Readonly<Record<number, { word: string, colour: number } | undefined>> = {
  10: { word: 'trace', colour: 90 },
  20: { word: 'debug', colour: 90 },
  30: { word: 'info ', colour: 32 },
  40: { word: 'warn ', colour: 33 },
  50: { word: 'error', colour: 31 },
  60: { word: 'fatal', colour: 31 },
}

/** A JSON log line for people: time, level, who, message, then the facts as key=value. Nothing in it can steer the terminal. */
export function prettyLine (line: string, colour: boolean): string {
  const record = parse(line)
  if (record === undefined) return `${printable(line.trimEnd())}\n`
  const { level, time, msg, agent, component, error, ...facts } = record
  const name = names[typeof level === 'number' ? level : 30] ?? { word: String(level), colour: 0 }
  const who = typeof agent === 'string' ? `agent ${agent}` : typeof component === 'string' ? component : undefined
  const parts = [
    ...(typeof time === 'number' ? [paint(clock(time), 90, colour)] : []),
    paint(name.word, name.colour, colour),
    ...(who === undefined ? [] : [paint(`[${printable(who)}]`, 36, colour)]),
    // Further lines stand apart: none of them can look like one of the log.
    linesOf(typeof msg === 'string' ? msg : '').join('\n    '),
    ...Object.entries(facts).map(([key, value]) => paint(`${printable(key)}=${printable(shown(value))}`, 90, colour)),
  ]
  return `${parts.join(' ')}${errorText(error)}\n`
}

function parse (line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function clock (time: number): string {
  const date = new Date(time)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function shown (value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

function errorText (error: unknown): string {
  if (typeof error !== 'object' || error === null) return error === undefined ? '' : ` error=${printable(shown(error))}`
  const stack = 'stack' in error && typeof error.stack === 'string' ? error.stack : undefined
  const message = 'message' in error ? String(error.message) : JSON.stringify(error)
  if (stack === undefined) return ` error=${printable(shown(message))}`
  return `\n    ${linesOf(stack).map((line) => line.trim()).join('\n    ')}`
}

function linesOf (text: string): string[] {
  return text.split('\n').map(printable)
}

function paint (text: string, code: number, colour: boolean): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text
}
