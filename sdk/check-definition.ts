import { checkNames } from './check-names.ts'
import type { Agent, AnyDefinition } from './definition.ts'

type Kind = 'text' | 'number' | 'size' | 'texts' | 'body' | 'settings' | 'threads' | 'function'

const members: Readonly<Record<keyof AnyDefinition, Kind>> = {
  name: 'text', version: 'text', description: 'text', config: 'settings', setsHeaders: 'texts', requestBody: 'body', responseBody: 'body',
  maxExchanges: 'number', maxBody: 'size', workers: 'threads', prepare: 'function', onConfigure: 'function', concerns: 'function',
  onRequest: 'function', onRequestBody: 'function', onRequestChunk: 'function', onRequestTrailers: 'function',
  onResponse: 'function', onResponseBody: 'function', onResponseChunk: 'function', onResponseTrailers: 'function',
  onWebSocketMessage: 'function', onToolCall: 'function', onToolResult: 'function', onGuardrail: 'function', onComplete: 'function',
}

const bodyModes = ['buffer', 'stream', 'none']
const overs = ['block', 'prefix', 'skip']

interface Expectation {
  readonly what: string
  readonly fits: (value: unknown) => boolean
}

const expectations: Readonly<Record<Kind, Expectation>> = {
  text: { what: 'a text', fits: (value) => typeof value === 'string' },
  number: { what: 'a whole number above 0', fits: (value) => Number.isSafeInteger(value) && Number(value) > 0 },
  size: { what: 'a number of bytes, or a size like "1MiB"', fits: (value) => typeof value === 'number' || typeof value === 'string' },
  texts: { what: 'a list of texts', fits: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string') },
  body: { what: '"buffer", "stream" or "none", or { mode, max, over } with over as "block", "prefix" or "skip"', fits: isBodyWish },
  settings: { what: 'made of setting(…), required(…), list(…) and the like', fits: (value) => isObject(value) && Object.values(value).every(isField) },
  threads: { what: 'a number of threads, or { threads }', fits: (value) => typeof value === 'number' || isObject(value) },
  function: { what: 'a function', fits: (value) => typeof value === 'function' },
}

/**
 * What the compiler tells authors who have one. A handler whose name is misspelt would never be called, and so let everything pass; that has to be told
 * before anything is served.
 */
export function checkDefinition (definition: unknown): void {
  if (!isObject(definition)) throw new TypeError('defineAgent is called with an object: { name, onRequest, … }')
  checkNames('an agent', definition, members)
  for (const [name, value] of Object.entries(definition)) {
    const { what, fits } = expectations[members[name as keyof AnyDefinition]]
    if (value !== undefined && !fits(value)) throw new TypeError(`"${name}" of an agent is ${what}`)
  }
  const { name } = definition
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]*$/i.test(name)) {
    throw new TypeError(`an agent's name is letters, digits and "-", not ${JSON.stringify(name)}`)
  }
}

/** Whether `defineAgent` made it; maybe that of another copy of this package. */
export function isAgent (value: unknown): value is Agent {
  return isObject(value) && 'definition' in value && 'events' in value
}

/** What is served or tested was checked by `defineAgent`: a mere definition was not. */
export function checkAgent (agent: unknown): void {
  if (!isAgent(agent)) throw new TypeError('an agent is what defineAgent({ … }) gives')
}

function isBodyWish (wish: unknown): boolean {
  if (!isObject(wish)) return bodyModes.includes(wish as string)
  const { mode, over } = wish
  return (mode === undefined || bodyModes.includes(mode as string)) && (over === undefined || overs.includes(over as string))
}

function isField (value: unknown): boolean {
  return isObject(value) && 'row' in value && 'read' in value
}

function isObject (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
