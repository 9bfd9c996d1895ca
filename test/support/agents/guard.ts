// An agent that looks through texts as guardrails want it: it finds mail addresses and a phrase, and fails when told to.
import { AgentFailure, defineAgent, serve, type Finding } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'guard',
  async onGuardrail ({ inspection, texts, categories, model }, request, context) {
    context.log.info({ inspected: inspection, texts: JSON.stringify(texts), categories, model, path: request.path })
    if (request.headers.get('x-guard') === 'throw') throw new AgentFailure('broken', 'told so')
    if (request.headers.get('x-guard') === 'sleep') await new Promise((resolve) => { setTimeout(resolve, 5_000).unref() })
    if (request.headers.get('x-guard') === 'unplaced') return { detected: true }
    const wanted = inspection === 'pii' ? { category: 'email', pattern: /[\w.]+@[\w.]+\w/g } : { category: 'override', pattern: /ignore all (?:previous )?instructions/gi }
    const findings = texts.flatMap(({ text }, i): Finding[] => Array.from(text.matchAll(wanted.pattern), (match) => (
      { category: wanted.category, confidence: 0.9, text: i, start: match.index, end: match.index + match[0].length }
    )))
    // A phrase may be spread over several parts.
    const together = texts.map(({ text }) => text).join(' ')
    const isSpread = inspection === 'prompt_injection' && findings.length === 0 && wanted.pattern.test(together)
    return { detected: findings.length > 0 || isSpread, findings, audit: { ruleIds: [`guard-${inspection}`] } }
  },
}))
