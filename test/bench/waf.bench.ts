// Cost of the waf engine per request, in-process: node dist/test/bench/waf.bench.js
import { collectBody } from '../../agents/waf/engine/body.ts'
import { collectHead } from '../../agents/waf/engine/collect.ts'
import { createEngine, Inspection } from '../../agents/waf/engine/inspection.ts'
import { rules } from '../../agents/waf/rules/index.ts'
import { blogText, browsers } from '../unit/agents/waf/benign.ts'

const limits = { maxBytes: 1024 * 1024, maxUnpackedBytes: 1024 * 1024, maxRatio: 100, wholeFiles: false }
const headers = browsers['chrome']!
const form = 'title=My+trip&author=O%27Brien&body=' + encodeURIComponent(blogText.repeat(9)).slice(0, 10_150)
const json = JSON.stringify({ items: Array.from({ length: 100 }, (_, id) => ({ id, name: `Item ${id}`, note: 'select a plan, then order by phone' })) })
const random = Buffer.alloc(256 * 1024, 0).map((_, i) => (i * 2654435761 >>> 7) & 0xff)

interface Case { readonly name: string, readonly rounds: number, readonly run: (round: number) => Inspection }

function inspect (level: number, type: string, body: Uint8Array | undefined): (round: number) => Inspection {
  const engine = createEngine({ rules, paranoia: level, disabled: [], threshold: 5, maxCharacters: 8 * limits.maxBytes, maxValues: 20_000 })
  return (round) => {
    const inspection = new Inspection(engine)
    const request = {
      method: body === undefined ? 'GET' : 'POST', rawPath: `/shop/items/${round}`, path: `/shop/items/${round}`, query: `page=${round}&sort=price&q=select+a+plan`,
      headers: [...headers.filter(([name]) => name !== 'Cookie'), ['Cookie', `session=${round}-aZ09_; theme=dark; _ga=GA1.2.${round}.1700000000`] as const, ['Content-Type', type] as const]
    }
    collectHead(request, inspection)
    if (body !== undefined) collectBody(request, body, false, limits, inspection)
    return inspection
  }
}

const cases: readonly Case[] = [
  { name: 'browser GET, level 1', rounds: 5000, run: inspect(1, 'text/plain', undefined) },
  { name: 'browser GET, level 3', rounds: 5000, run: inspect(3, 'text/plain', undefined) },
  { name: '10 KiB form, level 1', rounds: 500, run: inspect(1, 'application/x-www-form-urlencoded', Buffer.from(form)) },
  { name: '10 KiB form, level 3', rounds: 500, run: inspect(3, 'application/x-www-form-urlencoded', Buffer.from(form)) },
  { name: `${Math.round(json.length / 1024)} KiB JSON, level 1`, rounds: 300, run: inspect(1, 'application/json', Buffer.from(json)) },
  { name: '256 KiB of noise as text, level 1', rounds: 3, run: inspect(1, 'text/plain', random) },
  { name: '1 MiB of blog text, level 1', rounds: 2, run: inspect(1, 'text/plain', Buffer.from(blogText.repeat(900)).subarray(0, limits.maxBytes)) }
]

for (const { name, rounds, run } of cases) {
  for (let i = 0; i < rounds / 5; i++) run(i)
  const started = performance.now()
  let score = 0
  for (let i = 0; i < rounds; i++) score = run(rounds + i).verdict().score
  const micros = (performance.now() - started) * 1000 / rounds
  console.log(`${name.padEnd(36)} ${micros.toFixed(micros < 1000 ? 1 : 0).padStart(9)} µs per request   score ${score}`)
}
