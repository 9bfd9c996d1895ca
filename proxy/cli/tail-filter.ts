import type { TailFilter } from '../pipeline/tail-filter.ts'
import { valuesOf, type OptionValues } from './command.ts'

const longest = 999

/** "5xx", "404", "400-499", ">=500", "<400": which statuses; `undefined` when it says none of these. */
export function statusRange (text: string): readonly [from: number, to: number] | undefined {
  const [, digit] = /^([0-9])xx$/i.exec(text) ?? []
  if (digit !== undefined) return [Number(digit) * 100, Number(digit) * 100 + 99]
  const [, from, to] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(text) ?? []
  if (from !== undefined) return [Number(from), Number(to ?? from)]
  const [, sign, bound] = /^(>=|>|<=|<)(\d{1,3})$/.exec(text) ?? []
  if (bound === undefined) return undefined
  const at = Number(bound)
  if (sign === '>=') return [at, longest]
  if (sign === '>') return [at + 1, longest]
  return sign === '<=' ? [0, at] : [0, at - 1]
}

/** What the options ask for; a sentence when one cannot be understood. Values of one option may be separated by commas. */
export function tailFilter (options: OptionValues): TailFilter | string {
  const list = (name: string): string[] => valuesOf(options, name).flatMap((value) => value.split(',')).map((value) => value.trim()).filter((value) => value !== '')
  const statuses: Array<readonly [number, number]> = []
  for (const text of list('status')) {
    const range = statusRange(text)
    if (range === undefined) return `'${text}' is no status: write 404, 5xx, 400-499 or ">=500"`
    statuses.push(range)
  }
  return { routes: list('route'), statuses, agents: list('agent'), ips: list('ip'), methods: list('method'), paths: list('path') }
}
