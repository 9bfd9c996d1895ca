import { parseArgs } from 'node:util'
import { callCases } from './calls/call-cases.ts'
import { cases } from './cases.ts'
import { contenders } from './contenders/contenders.ts'

export interface Options {
  readonly seconds: number
  readonly rounds: number
  /** Ids of contenders and of cases; empty is all. */
  readonly only: readonly string[]
  readonly cases: readonly string[]
  readonly profile: string | undefined
  readonly list: boolean
}

export function readOptions (args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      cases: { type: 'string', default: '' },
      profile: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  const contenderIds = contenders.map(({ id }) => id)
  return {
    seconds: wholeNumber('seconds', values.seconds, 60),
    rounds: wholeNumber('rounds', values.rounds, 10),
    only: named('only', values.only, contenderIds),
    cases: named('cases', values.cases, [...cases, ...callCases].map(({ id }) => id)),
    profile: values.profile === undefined ? undefined : named('profile', values.profile, contenderIds)[0],
    list: values.list,
  }
}

function named (option: string, text: string, known: readonly string[]): string[] {
  const ids = text.split(',').filter((id) => id !== '')
  const unknown = ids.find((id) => !known.includes(id))
  if (unknown !== undefined) throw new Error(`--${option} knows no ${unknown}; there are ${known.join(', ')}`)
  return ids
}

function wholeNumber (option: string, text: string, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) throw new Error(`--${option} is a whole number from 1 to ${most}, not ${text}`)
  return value
}
