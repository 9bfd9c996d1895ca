import { readPath } from '../../proxy/pipeline/path.ts'
import { Exchange, type RequestHead } from '../../proxy/pipeline/exchange.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import type { Body } from '../../proxy/pipeline/body.ts'

interface Given {
  readonly method?: string
  readonly target?: string
  readonly authority?: string
  readonly headers?: readonly string[]
  readonly body?: Body
  readonly address?: string
  readonly ending?: EndSignal
}

/** A request head as a listener would make it. */
export function headOf ({ method = 'GET', target = '/', authority = 'example.test', headers = [] }: Given = {}): RequestHead {
  const [rawPath = '', ...query] = target.split('?')
  return {
    method, scheme: 'http', authority, rawPath, ...readPath(rawPath), query: query.join('?'), version: '1.1',
    headers: new HeaderList([...headers]),
  }
}

/** An exchange without a socket. */
export function exchangeOf (given: Given = {}): Exchange {
  return new Exchange({
    id: 'test-exchange', startedMs: performance.now(), listener: 'test',
    peer: { address: given.address ?? '192.0.2.1', port: 40_000, tls: undefined },
    request: headOf(given), requestBody: given.body, ending: given.ending ?? new EndSignal(),
  })
}
