import { heldOutAttacks, heldOutEncoded } from './held-out-attacks.ts'
import { heldOutAgents, heldOutBenign, heldOutCookies, heldOutPaths, heldOutQueries } from './held-out-benign.ts'
import type { Message } from './carriers.ts'
import { carriers, engineAt, verdictOf } from './carriers.ts'
import type { Verdict } from '../../../../agents/waf/engine/inspection.ts'

/** One text in one place of a request. */
export type Sample = { readonly where: string, readonly category: string, readonly text: string, readonly message: Message }

export type Rate = { readonly total: number, readonly blocked: readonly (Sample & { readonly verdict: Verdict })[], readonly passed: readonly Sample[] }

/** Line breaks belong into bodies and form fields; a header cannot hold them. */
const inBodies = /form|json|multipart|text|^query$/

export function samplesOf (lists: Readonly<Record<string, readonly string[]>>, where: readonly string[]): Sample[] {
  return Object.entries(lists).flatMap(([category, texts]) => texts.flatMap((text) =>
    where.filter((carrier) => inBodies.test(carrier) || !/[\x00-\x1f]/.test(text)).map((carrier) => ({ where: carrier, category, text, message: carriers[carrier]!(text) }))))
}

/** What benign clients send where it belongs: their own paths, agents, cookies and queries. */
export const machineSamples: readonly Sample[] = [
  ...heldOutPaths.map((text) => ({ where: 'own path', category: 'paths', text, message: { rawPath: text } })),
  ...heldOutAgents.map((text) => ({ where: 'own user agent', category: 'agents', text, message: { headers: [['User-Agent', text]] as const } })),
  ...heldOutCookies.map((text) => ({ where: 'own cookie', category: 'cookies', text, message: { headers: [['Cookie', text]] as const } })),
  ...heldOutQueries.map((text) => ({ where: 'own query', category: 'queries', text, message: { query: text } }))
]

export const encodedSamples: readonly Sample[] = heldOutEncoded.flatMap((text) => [
  { where: 'query', category: 'encoded', text, message: { query: `q=${text}` } },
  { where: 'path', category: 'encoded', text, message: { rawPath: `/x/${text}` } }
])

export function rateOf (samples: readonly Sample[], level: number): Rate {
  const engine = engineAt(level)
  const judged = samples.map((sample) => ({ ...sample, verdict: verdictOf(sample.message, engine) }))
  return { total: samples.length, blocked: judged.filter(({ verdict }) => verdict.blocked), passed: judged.filter(({ verdict }) => !verdict.blocked) }
}

export const heldOut = { benign: heldOutBenign, attacks: heldOutAttacks }
