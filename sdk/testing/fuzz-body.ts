import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import { checkFuzzOptions } from './check-options.ts'
import type { TestAgent, TestRequestInit, TestResponseInit } from './harness.ts'
import { pieces, splits } from './splits.ts'
import type { Verdict } from './verdict.ts'

/** How a body is fuzzed. */
export interface FuzzBodyOptions {
  /** Whose body it is; "request" unless given. */
  readonly of?: 'request' | 'response'
  /** "POST" unless given. */
  readonly method?: string
  /** "/" unless given. */
  readonly url?: string
  /** Everything else of the request. */
  readonly request?: Omit<TestRequestInit, 'body'>
  /** Everything else of the response, with `of: 'response'`. Its status is 200 unless given. */
  readonly response?: Omit<TestResponseInit, 'body'> & { readonly status?: number }
  /** Ways to cut it by chance; 50 unless given. */
  readonly random?: number
  /** Beginning of chance, so that a failure can be had again; 1 unless given. */
  readonly seed?: number
}

/** Borders tried one by one; of a longer body so many are picked by chance. */
const maxBorders = 1024
/** Longest body that is sent byte by byte. */
const maxSingleBytes = 16 * 1024

/**
 * Sends one body in many ways: in one piece, cut at every border, byte by byte, in pieces of chance, with empty pieces between. Resolves with the
 * verdict, which must be the same for all of them; rejects with an AssertionError that names the first way for which it is not. Only a streamed
 * body has pieces.
 */
export async function fuzzBody (tested: TestAgent, body: string | Uint8Array, options: FuzzBodyOptions = {}): Promise<Verdict> {
  checkFuzzOptions(options)
  const bytes = Buffer.from(body)
  const whole = await verdictFor(tested, [bytes], options)
  const wanted = comparable(whole)
  for (const cut of waysToCut(bytes, options)) {
    const found = comparable(await verdictFor(tested, cut, options))
    if (!isDeepStrictEqual(found, wanted)) throw differs(cut, found, wanted, options)
  }
  return whole
}

async function verdictFor (tested: TestAgent, body: readonly Uint8Array[], options: FuzzBodyOptions): Promise<Verdict> {
  const { of = 'request', method = 'POST', url = '/', request = {}, response = {} } = options
  if (of === 'request') {
    const exchange = await tested.request(method, url, { ...request, body })
    await exchange.complete()
    return exchange
  }
  const exchange = await tested.request(method, url, request)
  const { status = 200, ...init } = response
  const verdict = await exchange.respond(status, { ...init, body })
  await exchange.complete()
  return verdict
}

function * waysToCut (bytes: Buffer, { random = 50, seed = 1 }: FuzzBodyOptions): IterableIterator<Uint8Array[]> {
  const chance = numbersFrom(seed)
  const nothing = Buffer.alloc(0)
  if (bytes.length <= maxBorders) yield * splits(bytes)
  else {
    for (let i = 0; i < maxBorders; i++) {
      const at = 1 + Math.floor(chance() * (bytes.length - 1))
      yield [bytes.subarray(0, at), bytes.subarray(at)]
    }
  }
  if (bytes.length <= maxSingleBytes) yield pieces(bytes, 1)
  yield [bytes, nothing]
  yield pieces(bytes, Math.max(1, Math.ceil(bytes.length / 3))).flatMap((piece) => [piece, nothing])
  for (let i = 0; i < random; i++) yield randomPieces(bytes, chance)
}

function randomPieces (bytes: Buffer, chance: () => number): Uint8Array[] {
  const cut: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    // Small pieces are where borders are; now and then one is empty.
    const size = Math.floor(chance() ** 3 * Math.min(bytes.length, 4096))
    cut.push(bytes.subarray(at, at + size))
    at += size
  }
  return cut
}

/** The same numbers from 0 to 1 for the same seed (xorshift32). */
function numbersFrom (seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b9) | 0) || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** What must not depend on where a body is cut. */
function comparable (verdict: Verdict): object {
  const { kind, status, body, location, error, requestHeaders, responseHeaders, attributes, passedBody } = verdict
  const { ruleIds, tags, reason, severity } = verdict.audit
  return { kind, status, body, location, error: error?.code, requestHeaders, responseHeaders, attributes, ruleIds, tags, reason, severity, passedBody }
}

function differs (cut: readonly Uint8Array[], actual: object, expected: object, { seed = 1 }: FuzzBodyOptions): AssertionError {
  const different = Object.keys(expected).filter((key) => !isDeepStrictEqual(Reflect.get(actual, key), Reflect.get(expected, key)))
  const rows = different.map((key) => `  ${key}: ${text(Reflect.get(actual, key))}\n    in one piece: ${text(Reflect.get(expected, key))}\n`)
  const message = `The verdict depends on where the body is cut.\n  in ${cut.length} pieces: ${shownPieces(cut)}\n${rows.join('')}  (seed ${seed})`
  return new AssertionError({ message, actual, expected, operator: 'fuzzBody', stackStartFn: fuzzBody })
}

const mostShown = 12
const longestShown = 60

function shownPieces (cut: readonly Uint8Array[]): string {
  const shown = cut.slice(0, mostShown).map((piece) => text(Buffer.from(piece).toString('latin1')))
  return shown.join(' | ') + (cut.length > mostShown ? ` | … ${cut.length - mostShown} more` : '')
}

function text (value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > longestShown ? `${json.slice(0, longestShown)}… (${json.length} characters)` : json
}
