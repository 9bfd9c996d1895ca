import type { ServerResponse } from 'node:http'
import type { RecordTerms, Seen, TailFilter } from '../pipeline/tail-filter.ts'
import type { Operations } from './operations.ts'

/** Bytes that may wait for who looks on, and for who records. */
const maxWaitingBytes = 1024 * 1024
const maxWaitingCases = 8 * maxWaitingBytes
/** Said to those who look on when another process serves. */
export const successorLine = '{"successor":true}'
/** Others who give commands must find room on the socket. */
const mostTails = 8

/** Those who look at exchanges as they end: one answer each, of lines of JSON, which goes on until somebody ends it. */
export class TailStreams {
  readonly #open = new Set<ServerResponse>()
  #isFollowed = false

  get full (): boolean {
    return this.#open.size >= mostTails
  }

  /**
   * The first line says that it has begun; every other one is one of the access log, in its JSON form, or says how many were lost because whoever looks on
   * is too slow. Throws when the filter cannot be.
   */
  begin (response: ServerResponse, filter: TailFilter, operations: Operations): void {
    const word = filter.record === undefined ? 'tail' : 'record'
    let lost = 0
    const write = (seen: Seen): void => {
      lost += seen.lost
      if (response.writableLength > (word === 'tail' ? maxWaitingBytes : maxWaitingCases)) return void (lost += seen.lines.length)
      let text = ''
      if (lost > 0) text = `{"lost":${lost}}\n`
      lost = 0
      for (const line of seen.lines) text += `${line}\n`
      response.write(text)
    }
    const end = operations.tail(filter, write)
    this.#open.add(response)
    response.on('error', () => {})
    response.on('close', () => {
      this.#open.delete(response)
      end()
    })
    // What was lost is told as soon as there is room, not with the next exchange.
    response.on('drain', () => { if (lost > 0) write({ lines: [], lost: 0 }) })
    response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' })
    response.write(`{"${word}":"begun"}\n${this.#isFollowed ? `${successorLine}\n` : ''}`)
  }

  /** Another process serves, and this one finishes what it has: whoever wants to see everything looks on at both. */
  handedOver (): void {
    this.#isFollowed = true
    for (const response of this.#open) response.write(`${successorLine}\n`)
  }

  /** Ends them all. */
  close (): void {
    for (const response of this.#open) response.end()
  }
}

const lists = ['routes', 'agents', 'ips', 'methods', 'paths'] as const
const mostOfOneKind = 100

/** `undefined` when it is something else. */
export function tailFilterOf (body: Readonly<Record<string, unknown>>): TailFilter | undefined {
  const { statuses = [] } = body
  if (!Array.isArray(statuses) || statuses.length > mostOfOneKind || !statuses.every(isRange)) return undefined
  const texts = lists.map((name): readonly [string, unknown] => [name, body[name] ?? []])
  if (!texts.every(([, list]) => Array.isArray(list) && list.length <= mostOfOneKind && list.every((item) => typeof item === 'string'))) return undefined
  return { statuses, ...Object.fromEntries(texts) } as unknown as TailFilter // Every member was looked at.
}

/** What is to be written down, when it is; `undefined` when it is something else. */
export function recordTermsOf ({ bodies, unredacted, max_body_bytes: maxBodyBytes }: Readonly<Record<string, unknown>>): RecordTerms | undefined {
  if (typeof bodies !== 'boolean' || typeof unredacted !== 'boolean' || typeof maxBodyBytes !== 'number') return undefined
  return maxBodyBytes >= 0 && maxBodyBytes <= longestBody ? { bodies, unredacted, maxBodyBytes } : undefined
}

/** Bytes of one body that may be recorded. */
export const longestBody = 256 * 1024

function isRange (value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((bound) => typeof bound === 'number')
}
