import { bodyOf } from '../pipeline/body.ts'
import type { Responder } from '../pipeline/exchange.ts'
import { HeaderList } from '../pipeline/headers.ts'

export interface FixedAnswer {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** Gives every request the same answer. */
export function fixedAnswer ({ status, body, headers }: FixedAnswer): Responder {
  const content = Buffer.from(body)
  const fields = Object.entries(headers).flatMap(([name, value]) => [name, Buffer.from(value).toString('latin1')])
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')
  return {
    name: '',
    respond: () => {
      const list = new HeaderList([...fields])
      if (content.length > 0 && !hasType) list.append('Content-Type', 'text/plain; charset=utf-8')
      return Promise.resolve({ status, headers: list, body: status === 204 || status === 304 ? undefined : bodyOf(content) })
    },
  }
}
