import type { Template } from '../../config/sentinel/index.ts'
import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { canonicalName, isAliasOf, type HeaderList } from '../pipeline/headers.ts'
import { compileTemplate, type Text } from './template.ts'

/** What a block of header edits says. Made in this order: rename, set, add, remove. */
export interface HeaderEdits {
  /** Old name to new name. */
  readonly rename: Readonly<Record<string, string>>
  readonly set: Readonly<Record<string, Template>>
  readonly add: Readonly<Record<string, Template>>
  readonly remove: readonly string[]
}

export interface HeaderSettings {
  readonly request: readonly (HeaderEdits | undefined)[]
  readonly response: readonly (HeaderEdits | undefined)[]
}

type Edit = (headers: HeaderList, x: Exchange) => void

/** Changes field lines of requests and of answers, as the operator wrote. */
export function headersFilter ({ request, response }: HeaderSettings): Filter {
  const ofRequest = request.flatMap((edits) => edits === undefined ? [] : compile(edits, true))
  const ofResponse = response.flatMap((edits) => edits === undefined ? [] : compile(edits, false))
  return {
    name: 'headers',
    ...ofRequest.length === 0 ? {} : {
      onRequest (x) {
        for (const edit of ofRequest) edit(x.request.headers, x)
        return undefined
      },
    },
    ...ofResponse.length === 0 ? {} : {
      onResponse (x, reply) {
        for (const edit of ofResponse) edit(reply.headers, x)
        return undefined
      },
    },
  }
}

/** `guarded`: a field takes its aliases along, since applications behind may read `X_User` and `X-User` as one. */
function compile ({ rename, set, add, remove }: HeaderEdits, guarded: boolean): Edit[] {
  return [
    ...Object.entries(rename).map(([from, to]): Edit => renamed(from, to)),
    ...Object.entries(set).map(([name, value]): Edit => assigned(name, compileTemplate(value), guarded)),
    ...Object.entries(add).map(([name, value]): Edit => appended(name, compileTemplate(value))),
    ...remove.map((name): Edit => removed(name, guarded)),
  ]
}

function renamed (from: string, to: string): Edit {
  const lower = from.toLowerCase()
  return (headers) => {
    const values = headers.getAll(lower)
    if (values.length === 0) return
    headers.remove(lower)
    for (const value of values) headers.append(to, value)
  }
}

/** A value that is empty because a fact is missing leaves no field behind: nobody could tell it from one that says nothing. */
function assigned (name: string, value: Text, guarded: boolean): Edit {
  const canonical = canonicalName(name)
  const lower = name.toLowerCase()
  return (headers, x) => {
    const text = value(x)
    if (guarded) headers.removeIf((other) => isAliasOf(other, canonical) && other.toLowerCase() !== lower)
    if (text === '') headers.remove(lower)
    else headers.set(name, text)
  }
}

function appended (name: string, value: Text): Edit {
  return (headers, x) => {
    const text = value(x)
    if (text !== '') headers.append(name, text)
  }
}

function removed (name: string, guarded: boolean): Edit {
  const canonical = canonicalName(name)
  const lower = name.toLowerCase()
  return guarded ? (headers) => headers.removeIf((other) => isAliasOf(other, canonical)) : (headers) => headers.remove(lower)
}
