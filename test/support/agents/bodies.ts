// Replaces card numbers in requests, writes answers in capitals, refuses one word.
import { block, defineAgent, redact, serve } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'bodies',
  onRequestBody (body) {
    const text = Buffer.from(body).toString()
    if (text.includes('forbidden')) return block(422)
    return redact({ replaceBody: text.replace(/\d{4}(-\d{4}){3}/g, '[card]'), audit: { redactions: ['card'] } })
  },
  onResponseBody: (body) => redact({ replaceBody: Buffer.from(body).toString().toUpperCase() }),
}))
